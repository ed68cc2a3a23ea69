# SPDX-License-Identifier: Apache-2.0
"""EC2 images: register, describe, attributes, copy, deregister."""
import base64
import binascii
import re
import time

import ec2
import lineage
from answers import ApiError, iso
from store import new_id

PERMISSION = [{"Group": "str", "UserId": "str", "OrganizationArn": "str", "OrganizationalUnitArn": "str"}]
VOLUMES = {"gp2": (0, 0), "gp3": (16000, 1000), "io1": (64000, 0), "io2": (256000, 0), "standard": (0, 0), "st1": (0, 0),
           "sc1": (0, 0)}  # highest Iops and Throughput that may be asked for
EBS = {"SnapshotId": "str", "VolumeSize": "int", "VolumeType": "str", "Iops": "int", "Throughput": "int",
       "DeleteOnTermination": "bool", "Encrypted": "bool", "KmsKeyId": "str"}
ARNS = {
    "OrganizationArn": re.compile(r"arn:aws[a-z-]*:organizations::[0-9]{12}:organization/o-[a-z0-9]{10,32}\Z"),
    "OrganizationalUnitArn": re.compile(
        r"arn:aws[a-z-]*:organizations::[0-9]{12}:ou/o-[a-z0-9]{10,32}/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}\Z")}
VALUE = {"Value": "str"}


def wrong(message, code="InvalidParameterValue"):
    return ApiError(code, message)


class Part:
    def __init__(self, world, service):
        self.world, self.ec2 = world, service
        tags = [{"ResourceType!": "str", "Tag!": ec2.TAGS}]
        image = {"ImageId!": "str"}
        self.SHAPES = {
            "RegisterImage": {
                "Name!": "str", "Description": "str", "Architecture": "str", "RootDeviceName": "str", "VirtualizationType": "str",
                "BootMode": "str", "TpmSupport": "str", "UefiData": "str", "ImdsSupport": "str", "EnaSupport": "bool",
                "SriovNetSupport": "str", "TagSpecification": tags, "BlockDeviceMapping": [
                    {"DeviceName!": "str", "VirtualName": "str", "NoDevice": "str", "Ebs": EBS}]},
            "DescribeImages": {"ImageId": ["str"], "Owner": ["str"], "ExecutableBy": ["str"], "Filter": ec2.FILTERS,
                               "IncludeDeprecated": "bool", "IncludeDisabled": "bool", "MaxResults": "int", "NextToken": "str"},
            "DeregisterImage": {**image, "DeleteAssociatedSnapshots": "bool"},
            "CopyImage": {
                "Name!": "str", "SourceImageId!": "str", "SourceRegion!": "str", "Description": "str", "ClientToken": "str",
                "Encrypted": "bool", "KmsKeyId": "str", "CopyImageTags": "bool", "TagSpecification": tags,
                "SnapshotCopyCompletionDurationMinutes": "int"},
            "ModifyImageAttribute": {
                **image, "Attribute": "str", "OperationType": "str", "Value": "str", "UserId": ["str"], "UserGroup": ["str"],
                "OrganizationArn": ["str"], "OrganizationalUnitArn": ["str"], "Description": VALUE, "ImdsSupport": VALUE,
                "LaunchPermission": {"Add": PERMISSION, "Remove": PERMISSION}},
            "DescribeImageAttribute": {**image, "Attribute!": "str"},
            "EnableImageDeprecation": {**image, "DeprecateAt!": "time"},
            "DisableImageDeprecation": image,
            "EnableImageDeregistrationProtection": {**image, "WithCooldown": "bool"},
            "DisableImageDeregistrationProtection": image,
        }

    def state(self, image):
        """pending until its time has come and its copied snapshot is there; then available or failed."""
        if image["state"] != "pending":
            return image["state"]
        if not time.time() >= image["ready_at"]:
            return "pending"
        for mapping in image["mappings"]:
            snapshot = self.world.store.get("snapshots", mapping["Ebs"]["SnapshotId"])
            if lineage.status(self.world, snapshot) == "pending":
                return "pending"
        settings = self.world.settings["fail_copies" if image["copy_of"] else "fail_images"]
        image["state"] = "failed" if image["name"] in settings or image["region"] in settings else "available"
        if image["state"] == "failed":
            image["reason"] = {"code": "Client.InternalError", "message": "ordered by a test"}
        self.world.store.save("images", image["id"], image)
        return image["state"]

    def find(self, caller, key):
        if not key.startswith("ami-"):
            raise ApiError("InvalidAMIID.Malformed", 'Invalid id: "%s" (expecting "ami-...")' % key)
        image = self.ec2.resource(caller, key)[0]
        if image["state"] == "deregistered":
            raise ApiError("InvalidAMIID.Unavailable", "The image ID '%s' is no longer available" % key)
        return image

    def check_name(self, caller, name, unique):
        if not re.fullmatch(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}", name):
            raise wrong("AMI names must be between 3 and 128 characters of A-Za-z0-9()[] ./-'@_", "InvalidAMIName.Malformed")
        for image in self.world.store.all("images") if unique else []:
            if (image["name"], image["region"], image["owner"]) == (name, caller.region, caller.account) \
                    and image["state"] not in ("deregistered", "failed"):
                raise wrong("AMI name %s is already in use by AMI %s" % (name, image["id"]), "InvalidAMIName.Duplicate")

    def check_uefi(self, parameters):
        if parameters.get("BootMode") not in (None, "legacy-bios", "uefi", "uefi-preferred"):
            raise wrong("BootMode '%s'" % parameters["BootMode"])
        if "TpmSupport" in parameters and (parameters["TpmSupport"] != "v2.0" or parameters.get("BootMode") != "uefi"):
            raise wrong("TpmSupport is v2.0 and needs BootMode uefi")
        if "UefiData" in parameters:
            data = parameters["UefiData"]
            try:
                base64.b64decode(data, validate=True)
            except binascii.Error:
                raise wrong("UefiData is not base64") from None
            if len(data) > 64000 or parameters.get("BootMode") not in ("uefi", "uefi-preferred"):
                raise wrong("UefiData is up to 64000 characters and needs BootMode uefi or uefi-preferred")
        if parameters.get("ImdsSupport", "v2.0") != "v2.0" or parameters.get("SriovNetSupport", "simple") != "simple":
            raise wrong("ImdsSupport is v2.0, SriovNetSupport simple")

    def check_mapping(self, caller, mapping):
        """One device; what is left out is filled in. Returns it."""
        volume = mapping.get("Ebs")
        if volume is None or "SnapshotId" not in volume:
            raise wrong("a block device without a snapshot", "InvalidBlockDeviceMapping")
        if "Encrypted" in volume:
            raise wrong("the parameter encrypted cannot be specified together with a snapshot", "InvalidBlockDeviceMapping")
        snapshot = self.world.store.get("snapshots", volume["SnapshotId"])
        if snapshot is None or snapshot["region"] != caller.region or snapshot.get("deleted") \
                or snapshot["owner"] != caller.account:
            raise wrong("The snapshot '%s' does not exist." % volume["SnapshotId"], "InvalidSnapshot.NotFound")
        if lineage.status(self.world, snapshot) != "completed":
            raise wrong("Snapshot is in invalid state - %s" % lineage.status(self.world, snapshot), "InvalidBlockDeviceMapping")
        size = volume.get("VolumeSize", snapshot["size"])
        if size < snapshot["size"]:
            raise wrong("Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB"
                        % (size, snapshot["id"], snapshot["size"]), "InvalidBlockDeviceMapping")
        kind = volume.get("VolumeType", "gp2")
        if kind not in VOLUMES:
            raise wrong("VolumeType '%s'" % kind)
        iops, throughput = volume.get("Iops"), volume.get("Throughput")
        low = 3000 if kind == "gp3" else 100
        if iops is not None and not low <= iops <= VOLUMES[kind][0] or iops is None and kind in ("io1", "io2"):
            raise wrong("Iops %s for a volume of type %s" % (iops, kind), "InvalidParameterCombination")
        if iops is not None and kind == "gp3" and iops > 3000 and iops > 500 * size:
            raise wrong("Iops to volume size ratio of %d:%d is too high; maximum is 500" % (iops, size))
        if throughput is not None and (kind != "gp3" or not 125 <= throughput <= min(1000, (iops or 3000) // 4)):
            raise wrong("Throughput %d for a volume of type %s" % (throughput, kind), "InvalidParameterCombination")
        filled = {"DeleteOnTermination": True, **volume, "VolumeSize": size, "VolumeType": kind,
                  "Encrypted": snapshot["encrypted"]}
        return {"DeviceName": mapping["DeviceName"], "Ebs": filled}

    def dry_RegisterImage(self, caller, parameters):
        self.ec2.allow(caller, "RegisterImage", "image/*", request_tags=ec2.specified_tags(parameters, "image").get("image"))
        self.check_name(caller, parameters["Name"], True)

    def RegisterImage(self, caller, parameters):
        tags = ec2.specified_tags(parameters, "image").get("image", {})
        self.ec2.allow(caller, "RegisterImage", "image/*", request_tags=tags)
        for mapping in parameters.get("BlockDeviceMapping", []):
            self.ec2.allow(caller, "RegisterImage", "snapshot/" + mapping.get("Ebs", {}).get("SnapshotId", "*"))
        if tags:
            self.ec2.allow(caller, "CreateTags", "image/*", request_tags=tags)
        if len(parameters.get("Description", "")) > 255:
            raise wrong("Description is longer than 255 characters")
        architecture = parameters.get("Architecture", "i386")
        if architecture not in ("i386", "x86_64", "arm64"):
            raise wrong("Architecture '%s'" % architecture)
        virtualization = parameters.get("VirtualizationType", "paravirtual")
        if virtualization not in ("hvm", "paravirtual") or parameters.get("BootMode") == "uefi" and virtualization != "hvm":
            raise wrong("VirtualizationType '%s' with BootMode %s" % (virtualization, parameters.get("BootMode")),
                        "InvalidParameterCombination")
        if parameters.get("BootMode") == "uefi" and architecture == "i386":
            raise wrong("BootMode uefi with architecture i386", "InvalidParameterCombination")
        self.check_uefi(parameters)
        if not parameters.get("BlockDeviceMapping"):
            raise wrong("a block device mapping must be specified", "MissingParameter")
        mappings = [self.check_mapping(caller, m) for m in parameters["BlockDeviceMapping"]]
        if parameters.get("RootDeviceName") not in [m["DeviceName"] for m in mappings]:
            raise wrong("no device is the root device '%s'" % parameters.get("RootDeviceName"), "InvalidBlockDeviceMapping")
        self.check_name(caller, parameters["Name"], True)
        image = self.new(caller, parameters["Name"], parameters.get("Description", ""), mappings, tags,
                         self.world.settings["image_pending_s"])
        image.update({
            "architecture": architecture, "root": parameters["RootDeviceName"], "virtualization": virtualization,
            "boot_mode": parameters.get("BootMode"), "tpm": parameters.get("TpmSupport"), "imds": parameters.get("ImdsSupport"),
            "uefi_data": parameters.get("UefiData"), "ena": parameters.get("EnaSupport", False),
            "sriov": parameters.get("SriovNetSupport"),
        })
        self.world.store.save("images", image["id"], image)
        return {"imageId": image["id"]}

    def new(self, caller, name, description, mappings, tags, pending_s):
        image = {"id": new_id("ami"), "region": caller.region, "owner": caller.account, "name": name, "description": description,
                 "mappings": mappings, "state": "pending", "created": time.time(), "ready_at": self.world.after(pending_s),
                 "permissions": [], "deprecate_at": None, "protected": False, "copy_of": None, "token": None}
        if tags:
            self.world.store.save("tags", image["id"], tags)
        return image

    def visible(self, caller, image):
        return image["region"] == caller.region and image["state"] != "deregistered" and (
            image["owner"] == caller.account or {"UserId": caller.account} in image["permissions"]
            or {"Group": "all"} in image["permissions"]) and self.world.passed(image["created"], self.world.settings["image_lag_s"])

    def row(self, caller, image):
        own = image["owner"] == caller.account
        mappings = []
        for mapping in image["mappings"]:
            volume = {k[0].lower() + k[1:]: v for k, v in mapping["Ebs"].items()}
            mappings.append({"deviceName": mapping["DeviceName"], "ebs": volume})
        return {
            "imageId": image["id"], "imageLocation": "%s/%s" % (image["owner"], image["name"]),
            "imageState": self.state(image), "imageOwnerId": image["owner"], "creationDate": iso(image["created"]),
            "isPublic": {"Group": "all"} in image["permissions"], "architecture": image["architecture"],
            "imageType": "machine", "name": image["name"], "description": image["description"] or None,
            "sriovNetSupport": image["sriov"], "enaSupport": image["ena"], "rootDeviceType": "ebs",
            "rootDeviceName": image["root"], "blockDeviceMapping": mappings, "virtualizationType": image["virtualization"],
            "hypervisor": "xen", "platformDetails": "Linux/UNIX", "usageOperation": "RunInstances",
            "bootMode": image["boot_mode"], "tpmSupport": image["tpm"], "imdsSupport": image["imds"],
            "stateReason": image.get("reason"), "tagSet": ec2.tag_set(self.ec2.tags(image["id"])) if own else [],
            "deprecationTime": iso(image["deprecate_at"]) if image["deprecate_at"] else None,
            "deregistrationProtection": "enabled" if image["protected"] else "disabled",
            "sourceImageId": image["copy_of"], "sourceImageRegion": image.get("copy_region"),
        }

    def DescribeImages(self, caller, parameters):
        self.ec2.allow(caller, "DescribeImages")
        found = [i for i in self.world.store.all("images") if self.visible(caller, i)]
        for key in parameters.get("ImageId", []):
            if not re.fullmatch(r"ami-[0-9a-f]{8,17}", key):
                raise ApiError("InvalidAMIID.Malformed", 'Invalid id: "%s"' % key)
            if key not in [i["id"] for i in found]:
                raise ApiError("InvalidAMIID.NotFound", "The image id '[%s]' does not exist" % key)
        if "ImageId" in parameters:
            found = [i for i in found if i["id"] in parameters["ImageId"]]
        owners = [caller.account if o == "self" else o for o in parameters.get("Owner", [])]
        if owners:
            found = [i for i in found if i["owner"] in owners]
        now = time.time()
        if not parameters.get("IncludeDeprecated"):
            found = [i for i in found if i["owner"] == caller.account or not i["deprecate_at"] or i["deprecate_at"] > now]
        fields = {
            "name": lambda i: i["name"], "state": self.state, "image-id": lambda i: i["id"], "owner-id": lambda i: i["owner"],
            "architecture": lambda i: i["architecture"], "description": lambda i: i["description"],
            "boot-mode": lambda i: i["boot_mode"], "virtualization-type": lambda i: i["virtualization"],
            "is-public": lambda i: str({"Group": "all"} in i["permissions"]).lower(), "root-device-type": lambda i: "ebs",
            "block-device-mapping.snapshot-id": lambda i: i["mappings"][0]["Ebs"]["SnapshotId"],
            "source-image-id": lambda i: i["copy_of"],
        }
        found = ec2.filtered(found, parameters.get("Filter", []), fields, lambda i: self.ec2.tags(i["id"]))
        found.sort(key=lambda i: (i["created"], i["id"]))
        page, token = ec2.paged(found, parameters)
        return {"imagesSet": [self.row(caller, i) for i in page], "nextToken": token}

    def DeregisterImage(self, caller, parameters):
        image = self.find(caller, parameters["ImageId"])
        self.ec2.allow(caller, "DeregisterImage", "image/" + image["id"])
        if image["protected"]:
            raise ApiError("OperationNotPermitted", "The image %s is protected from deregistration" % image["id"])
        image["state"] = "deregistered"
        self.world.store.save("images", image["id"], image)
        results = []
        if parameters.get("DeleteAssociatedSnapshots"):
            for mapping in image["mappings"]:
                key = mapping["Ebs"]["SnapshotId"]
                part = self.ec2.owner["DeleteSnapshot"]
                part.DeleteSnapshot(caller, {"SnapshotId": key})
                results.append({"snapshotId": key, "returnCode": "success"})
        return {"return": True, "deleteSnapshotResultSet": results or None}

    def source(self, caller, parameters):
        image = self.world.store.get("images", parameters["SourceImageId"])
        if image is None or image["region"] != parameters["SourceRegion"] or image["state"] == "deregistered" or (
                image["owner"] != caller.account and {"UserId": caller.account} not in image["permissions"]):
            raise ApiError("InvalidAMIID.NotFound", "The image id '[%s]' does not exist" % parameters["SourceImageId"])
        return image

    def CopyImage(self, caller, parameters):
        specified = ec2.specified_tags(parameters, "image", "snapshot")
        self.ec2.allow(caller, "CopyImage", "image/*", request_tags=specified.get("image"))
        for kind, tags in specified.items():
            self.ec2.allow(caller, "CreateTags", kind + "/*", request_tags=tags)
        source, token = self.source(caller, parameters), parameters.get("ClientToken")
        if len(token or "") > 128:
            raise wrong("ClientToken is longer than 128 characters")
        for image in self.world.store.all("images") if token else []:
            if (image["token"], image["region"], image["owner"]) == (token, caller.region, caller.account):
                if image["parameters"] != parameters:
                    raise wrong("the client token was used with other parameters", "IdempotentParameterMismatch")
                return {"imageId": image["id"]}
        if self.state(source) != "available":
            raise ApiError("InvalidAMIID.Unavailable", "The image %s is %s" % (source["id"], self.state(source)))
        self.check_name(caller, parameters["Name"], False)
        part, mappings = self.ec2.owner["CopySnapshot"], []
        for mapping in source["mappings"]:
            snapshot = self.world.store.get("snapshots", mapping["Ebs"]["SnapshotId"])
            copied = part.copy(caller, snapshot, "Copied for DestinationAmi from SourceAmi %s" % source["id"],
                               parameters.get("Encrypted"), parameters.get("KmsKeyId"), specified.get("snapshot", {}))
            mappings.append({"DeviceName": mapping["DeviceName"], "Ebs": {
                **mapping["Ebs"], "SnapshotId": copied["id"], "Encrypted": copied["encrypted"]}})
        tags = dict(specified.get("image", {}))
        if parameters.get("CopyImageTags"):
            tags = {**self.ec2.tags(source["id"]), **tags}
        image = self.new(caller, parameters["Name"], parameters.get("Description", source["description"]), mappings, tags,
                         self.world.settings["copy_s"])
        for member in ("architecture", "root", "virtualization", "boot_mode", "tpm", "imds", "uefi_data", "ena", "sriov"):
            image[member] = source[member]
        image.update({"copy_of": source["id"], "copy_region": source["region"], "token": token, "parameters": parameters})
        self.world.store.save("images", image["id"], image)
        return {"imageId": image["id"]}

    def permission(self, one):
        if len(one) != 1:
            raise wrong("a launch permission has one member", "InvalidAttributeValue")
        if one.get("Group", "all") != "all" or not re.fullmatch(r"[0-9]{12}", one.get("UserId", "0" * 12)):
            raise wrong("the account id '%s' is not 12 digits" % one, "InvalidAMIAttributeItemValue")
        for member, pattern in ARNS.items():
            if member in one and not pattern.match(one[member]):
                raise wrong("'%s' is not the ARN of an organisation or unit" % one[member], "InvalidAMIAttributeItemValue")
        return one

    def ModifyImageAttribute(self, caller, parameters):
        image = self.find(caller, parameters["ImageId"])
        self.ec2.allow(caller, "ModifyImageAttribute", "image/" + image["id"])
        if self.state(image) != "available":
            raise ApiError("IncorrectState", "The image %s is %s" % (image["id"], self.state(image)))
        change = parameters.get("LaunchPermission")
        members = {"UserId": "UserId", "UserGroup": "Group", "OrganizationArn": "OrganizationArn",
                   "OrganizationalUnitArn": "OrganizationalUnitArn"}
        if parameters.get("Attribute") == "launchPermission" and parameters.get("OperationType") in ("add", "remove"):
            who = [{members[k]: v} for k in members for v in parameters.get(k, [])]
            change = {parameters["OperationType"].capitalize(): who}
        if change:
            for one in change.get("Add", []):
                if self.permission(one) == {"Group": "all"} and any(m["Ebs"]["Encrypted"] for m in image["mappings"]):
                    raise ApiError("InvalidParameter", "An encrypted image cannot be public")
                if one not in image["permissions"]:
                    image["permissions"].append(one)
            for one in change.get("Remove", []):
                image["permissions"] = [p for p in image["permissions"] if p != self.permission(one)]
        elif "Description" in parameters:
            image["description"] = parameters["Description"]["Value"]
        elif parameters.get("ImdsSupport", {}).get("Value") == "v2.0":
            image["imds"] = "v2.0"
        else:
            raise wrong("nothing to modify", "InvalidParameterCombination")
        self.world.store.save("images", image["id"], image)
        return {"return": True}

    def DescribeImageAttribute(self, caller, parameters):
        image, name = self.find(caller, parameters["ImageId"]), parameters["Attribute"]
        self.ec2.allow(caller, "DescribeImageAttribute", "image/" + image["id"])
        values = {"description": image["description"], "bootMode": image["boot_mode"], "tpmSupport": image["tpm"],
                  "imdsSupport": image["imds"], "uefiData": image["uefi_data"], "sriovNetSupport": image["sriov"],
                  "deregistrationProtection": "enabled" if image["protected"] else "disabled"}
        if name == "launchPermission":
            value = [{k[0].lower() + k[1:]: v for k, v in p.items()} for p in image["permissions"]]
        elif name == "blockDeviceMapping":
            value = self.row(caller, image)["blockDeviceMapping"]
        elif name in values:
            value = {"value": values[name]}
        else:
            raise wrong("Attribute '%s'" % name)
        return {"imageId": image["id"], name: value}

    def change(self, caller, parameters, action, **members):
        image = self.find(caller, parameters["ImageId"])
        self.ec2.allow(caller, action, "image/" + image["id"])
        image.update(members)
        self.world.store.save("images", image["id"], image)

    def EnableImageDeprecation(self, caller, parameters):
        at = parameters["DeprecateAt"]
        if at < self.world.wall():
            raise wrong("DeprecateAt lies in the past")
        if at > self.world.wall() + 10 * 366 * 86400:
            raise wrong("DeprecateAt is more than ten years ahead")
        # To the minute, as the service rounds it.
        self.change(caller, parameters, "EnableImageDeprecation", deprecate_at=at - at % 60)
        return {"return": True}

    def DisableImageDeprecation(self, caller, parameters):
        self.change(caller, parameters, "DisableImageDeprecation", deprecate_at=None)
        return {"return": True}

    def EnableImageDeregistrationProtection(self, caller, parameters):
        self.change(caller, parameters, "EnableImageDeregistrationProtection", protected=True)
        return {"return": "enabled-with-cooldown" if parameters.get("WithCooldown") else "enabled-without-cooldown"}

    def DisableImageDeregistrationProtection(self, caller, parameters):
        self.change(caller, parameters, "DisableImageDeregistrationProtection", protected=False)
        return {"return": "disabled"}
