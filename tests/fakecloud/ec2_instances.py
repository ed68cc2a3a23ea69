# SPDX-License-Identifier: Apache-2.0
"""EC2 instances as far as Auto Scaling makes them, and what is asked before: instance types, subnets, console output."""
import time

import ec2
from answers import ApiError, iso

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopped": 80}
# type: architecture, boot modes, NitroTPM
TYPES = {
    "t2.micro": ("x86_64", ["legacy-bios"], False), "t3.micro": ("x86_64", ["legacy-bios", "uefi"], True),
    "t3.small": ("x86_64", ["legacy-bios", "uefi"], True), "m5.large": ("x86_64", ["legacy-bios", "uefi"], True),
    "m6i.large": ("x86_64", ["legacy-bios", "uefi"], True), "m5.metal": ("x86_64", ["legacy-bios", "uefi"], False),
    "t4g.micro": ("arm64", ["uefi"], True), "c7g.large": ("arm64", ["uefi"], True),
}


def zones(region):
    return [region + letter for letter in "abc"]


def subnet_zone(region, subnet):
    """Subnets of this cloud are subnet-0...a, ...b, ...c: one for each zone."""
    letter = subnet[-1:]
    return region + letter if subnet.startswith("subnet-") and letter in "abc" else None


class Part:
    def __init__(self, world, service):
        self.world, self.ec2 = world, service
        self.SHAPES = {
            "DescribeInstances": {"InstanceId": ["str"], "Filter": ec2.FILTERS, "MaxResults": "int", "NextToken": "str"},
            "TerminateInstances": {"InstanceId!": ["str"]},
            "DescribeInstanceTypes": {"InstanceType": ["str"], "Filter": ec2.FILTERS, "MaxResults": "int", "NextToken": "str"},
            "DescribeSubnets": {"SubnetId": ["str"], "Filter": ec2.FILTERS, "MaxResults": "int", "NextToken": "str"},
            "GetConsoleOutput": {"InstanceId!": "str", "Latest": "bool"},
        }

    def row(self, instance):
        image = self.world.store.get("images", instance["image"]) or {}
        return {
            "instanceId": instance["id"], "imageId": instance["image"],
            "instanceState": {"code": CODES[instance["state"]], "name": instance["state"]},
            "instanceType": instance["type"], "launchTime": iso(instance["launched"]),
            "placement": {"availabilityZone": instance["zone"], "tenancy": "default"},
            "architecture": image.get("architecture", "x86_64"), "privateIpAddress": instance["address"],
            "rootDeviceType": "ebs", "rootDeviceName": image.get("root", "/dev/xvda"), "virtualizationType": "hvm",
            "hypervisor": "xen", "bootMode": image.get("boot_mode"), "tpmSupport": image.get("tpm"),
            "subnetId": instance["subnet"], "vpcId": "vpc-0fake", "tagSet": ec2.tag_set(instance["tags"]),
            "metadataOptions": {"state": "applied", "httpTokens": "required" if image.get("imds") else "optional"},
            "stateReason": instance.get("reason"),
        }

    def DescribeInstances(self, caller, parameters):
        self.ec2.allow(caller, "DescribeInstances")
        self.world.fleet.advance()
        # A terminated instance is told of for an hour, and for a minute of real time at least.
        gone = time.time() - max(60, self.world.fleet.lasts(3600))
        found = [i for i in self.world.store.all("instances") if i["region"] == caller.region and i["owner"] == caller.account
                 and not (i["state"] == "terminated" and i["ended"] < gone)]
        for key in parameters.get("InstanceId", []):
            if key not in [i["id"] for i in found]:
                raise ApiError("InvalidInstanceID.NotFound", "The instance ID '%s' does not exist" % key)
        if "InstanceId" in parameters:
            found = [i for i in found if i["id"] in parameters["InstanceId"]]
        fields = {"image-id": lambda i: i["image"], "instance-id": lambda i: i["id"], "instance-state-name": lambda i: i["state"],
                  "instance-type": lambda i: i["type"], "availability-zone": lambda i: i["zone"]}
        found = ec2.filtered(found, parameters.get("Filter", []), fields, lambda i: i["tags"])
        page, token = ec2.paged(sorted(found, key=lambda i: (i["launched"], i["id"])), parameters)
        return {"reservationSet": [{"reservationId": "r-" + i["id"][2:], "ownerId": i["owner"], "instancesSet": [self.row(i)]}
                                   for i in page], "nextToken": token}

    def TerminateInstances(self, caller, parameters):
        self.world.fleet.advance()
        rows = []
        for key in parameters["InstanceId"]:
            instance = self.ec2.resource(caller, key)[0]
            self.ec2.allow(caller, "TerminateInstances", "instance/" + key)
            before = instance["state"]
            if before in ("pending", "running", "stopped"):
                instance["state"] = "shutting-down"
                instance["reason"] = {"code": "Client.UserInitiatedShutdown", "message": "Client.UserInitiatedShutdown"}
                instance["ended"] = time.time()
                self.world.store.save("instances", key, instance)
            rows.append({"instanceId": key, "currentState": {"code": CODES[instance["state"]], "name": instance["state"]},
                         "previousState": {"code": CODES[before], "name": before}})
        return {"instancesSet": rows}

    def DescribeInstanceTypes(self, caller, parameters):
        self.ec2.allow(caller, "DescribeInstanceTypes")
        wanted = parameters.get("InstanceType", list(TYPES))
        for name in wanted:
            if name not in TYPES:
                raise ApiError("InvalidInstanceType", "The following supplied instance types do not exist: [%s]" % name)
        rows = []
        for name in wanted:
            architecture, modes, tpm = TYPES[name]
            rows.append({"instanceType": name, "currentGeneration": True, "supportedRootDeviceTypes": ["ebs"],
                         "supportedVirtualizationTypes": ["hvm"], "hypervisor": "nitro",
                         "processorInfo": {"supportedArchitectures": [architecture]}, "vCpuInfo": {"defaultVCpus": 2},
                         "memoryInfo": {"sizeInMiB": 1024}, "supportedBootModes": modes,
                         "nitroTpmSupport": "supported" if tpm else "unsupported",
                         "nitroTpmInfo": {"supportedVersions": ["2.0"]} if tpm else None})
        page, token = ec2.paged(rows, parameters)
        return {"instanceTypeSet": page, "nextToken": token}

    def DescribeSubnets(self, caller, parameters):
        self.ec2.allow(caller, "DescribeSubnets")
        rows = [{"subnetId": "subnet-0%s" % z[-1], "vpcId": "vpc-0fake", "state": "available", "availabilityZone": z,
                 "cidrBlock": "10.0.%d.0/24" % n, "availableIpAddressCount": 250, "ownerId": caller.account}
                for n, z in enumerate(zones(caller.region))]
        for key in parameters.get("SubnetId", []):
            if key not in [r["subnetId"] for r in rows]:
                raise ApiError("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist" % key)
        if "SubnetId" in parameters:
            rows = [r for r in rows if r["subnetId"] in parameters["SubnetId"]]
        fields = {"vpc-id": lambda r: r["vpcId"], "availability-zone": lambda r: r["availabilityZone"]}
        page, token = ec2.paged(ec2.filtered(rows, parameters.get("Filter", []), fields, lambda r: {}), parameters)
        return {"subnetSet": page, "nextToken": token}

    def GetConsoleOutput(self, caller, parameters):
        import base64
        instance = self.ec2.resource(caller, parameters["InstanceId"])[0]
        self.ec2.allow(caller, "GetConsoleOutput", "instance/" + instance["id"])
        text = self.world.fleet.behaviour(instance["image"]).get("console", "mkappliance: {\"event\": \"init\"}\r\n").encode()
        if self.world.machines.are_on():
            text = self.world.machines.console(instance["id"])
        return {"instanceId": instance["id"], "timestamp": iso(time.time()), "output": base64.b64encode(text).decode()}
