# SPDX-License-Identifier: Apache-2.0
"""EC2 launch templates: versions that never change, and new ones made of older ones."""
import re
import time

import ec2
from answers import ApiError, iso
from store import new_id

DATA = {
    "ImageId": "str", "InstanceType": "str", "KeyName": "str", "UserData": "str", "EbsOptimized": "bool",
    "DisableApiTermination": "bool", "DisableApiStop": "bool", "InstanceInitiatedShutdownBehavior": "str",
    "IamInstanceProfile": {"Arn": "str", "Name": "str"}, "Monitoring": {"Enabled": "bool"},
    "SecurityGroupId": ["str"], "SecurityGroup": ["str"], "CreditSpecification": {"CpuCredits!": "str"},
    "MetadataOptions": {"HttpTokens": "str", "HttpPutResponseHopLimit": "int", "HttpEndpoint": "str", "HttpProtocolIpv6": "str",
                        "InstanceMetadataTags": "str"},
    "Placement": {"AvailabilityZone": "str", "Tenancy": "str", "GroupName": "str"},
    "BlockDeviceMapping": [{"DeviceName": "str", "VirtualName": "str", "NoDevice": "str", "Ebs": {
        "SnapshotId": "str", "VolumeSize": "int", "VolumeType": "str", "Iops": "int", "Throughput": "int", "KmsKeyId": "str",
        "DeleteOnTermination": "bool", "Encrypted": "bool"}}],
    "NetworkInterface": [{"DeviceIndex": "int", "SubnetId": "str", "AssociatePublicIpAddress": "bool", "SecurityGroupId": ["str"],
                          "DeleteOnTermination": "bool", "Description": "str", "NetworkInterfaceId": "str"}],
    "TagSpecification": [{"ResourceType": "str", "Tag": [{"Key!": "str", "Value": "str"}]}],
}
WHICH = {"LaunchTemplateId": "str", "LaunchTemplateName": "str"}


def rendered(data):
    """As the answers name it: the first letter small, a list ends with Set."""
    if isinstance(data, list):
        return [rendered(d) for d in data]
    if not isinstance(data, dict):
        return data
    return {name[0].lower() + name[1:] + ("Set" if isinstance(value, list) else ""): rendered(value)
            for name, value in data.items()}


class Part:
    def __init__(self, world, service):
        self.world, self.ec2 = world, service
        tags = [{"ResourceType!": "str", "Tag!": ec2.TAGS}]
        self.SHAPES = {
            "CreateLaunchTemplate": {"LaunchTemplateName!": "str", "ClientToken": "str", "VersionDescription": "str",
                                     "LaunchTemplateData!": DATA, "TagSpecification": tags},
            "CreateLaunchTemplateVersion": {**WHICH, "ClientToken": "str", "SourceVersion": "str", "VersionDescription": "str",
                                            "LaunchTemplateData!": DATA},
            "DescribeLaunchTemplates": {"LaunchTemplateId": ["str"], "LaunchTemplateName": ["str"], "Filter": ec2.FILTERS,
                                        "MaxResults": "int", "NextToken": "str"},
            "DescribeLaunchTemplateVersions": {
                **WHICH, "LaunchTemplateVersion": ["str"], "MinVersion": "str", "MaxVersion": "str", "MaxResults": "int",
                "NextToken": "str", "Filter": ec2.FILTERS, "ResolveAlias": "bool"},
            "ModifyLaunchTemplate": {**WHICH, "ClientToken": "str", "SetDefaultVersion": "str"},
            "DeleteLaunchTemplate": WHICH,
            "DeleteLaunchTemplateVersions": {**WHICH, "LaunchTemplateVersion!": ["str"]},
        }

    def own(self, caller):
        return [t for t in self.world.store.all("templates") if t["region"] == caller.region and t["owner"] == caller.account]

    def find(self, caller, parameters):
        """The template that an id or a name says."""
        key, name = parameters.get("LaunchTemplateId"), parameters.get("LaunchTemplateName")
        if (key is None) == (name is None):
            raise ApiError("InvalidParameterCombination" if key else "MissingParameter",
                           "Either a launch template ID or a launch template name must be specified, not both.")
        if key is not None and not re.fullmatch(r"lt-[0-9a-f]{8,17}", key):
            raise ApiError("InvalidLaunchTemplateId.Malformed", "Invalid launch template ID '%s'" % key)
        for template in self.own(caller):
            if key in (template["id"],) or name is not None and name == template["name"]:
                return template
        if key:
            raise ApiError("InvalidLaunchTemplateId.NotFound", "The specified launch template, with template ID %s, does not exist."
                           % key)
        raise ApiError("InvalidLaunchTemplateName.NotFoundException",
                       "The specified launch template, with template name %s, does not exist." % name)

    def version(self, template, text):
        """The version that a number, $Latest or $Default says."""
        number = {"$Latest": str(template["latest"]), "$Default": str(template["default"])}.get(text, text)
        if number not in template["versions"]:
            raise ApiError("InvalidLaunchTemplateId.VersionNotFound", "Could not find the specified version %s for the launch "
                           "template with ID %s." % (text, template["id"]))
        return template["versions"][number]

    def row(self, template):
        return {"launchTemplateId": template["id"], "launchTemplateName": template["name"], "createTime": iso(template["created"]),
                "createdBy": template["by"], "defaultVersionNumber": template["default"],
                "latestVersionNumber": template["latest"], "tagSet": ec2.tag_set(self.ec2.tags(template["id"]))}

    def version_row(self, template, version):
        return {"launchTemplateId": template["id"], "launchTemplateName": template["name"], "versionNumber": version["number"],
                "versionDescription": version["description"], "createTime": iso(version["created"]), "createdBy": version["by"],
                "defaultVersion": version["number"] == template["default"], "launchTemplateData": rendered(version["data"])}

    def save(self, template):
        self.world.store.save("templates", template["id"], template)

    def warning(self, caller, data):
        """A template with an image that does not exist is made, with a warning."""
        image = self.world.store.get("images", data.get("ImageId", ""))
        if "ImageId" in data and (image is None or image["region"] != caller.region or image["state"] == "deregistered"):
            return {"errorSet": [{"code": "InvalidAMIID.NotFound",
                                  "message": "The image id '[%s]' does not exist" % data["ImageId"]}]}
        return None

    def new_version(self, caller, template, data, parameters):
        number = template["latest"] + 1
        version = {"number": number, "data": data, "description": parameters.get("VersionDescription"), "created": time.time(),
                   "by": caller.arn, "token": parameters.get("ClientToken"), "parameters": parameters}
        template["latest"] = number
        template["versions"][str(number)] = version
        self.save(template)
        return version

    def CreateLaunchTemplate(self, caller, parameters):
        tags = ec2.specified_tags(parameters, "launch-template").get("launch-template", {})
        self.ec2.allow(caller, "CreateLaunchTemplate", "launch-template/*", request_tags=tags)
        name, token = parameters["LaunchTemplateName"], parameters.get("ClientToken")
        if not re.fullmatch(r"[a-zA-Z0-9().\-/_]{3,128}", name):
            raise ApiError("InvalidLaunchTemplateName.MalformedException", "the name '%s' is not valid" % name)
        for template in self.own(caller):
            if template["name"] == name:
                if token and template["versions"].get("1", {}).get("token") == token:
                    return {"launchTemplate": self.row(template)}
                raise ApiError("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.")
        template = {"id": new_id("lt"), "region": caller.region, "owner": caller.account, "name": name, "created": time.time(),
                    "by": caller.arn, "default": 1, "latest": 0, "versions": {}}
        if tags:
            self.world.store.save("tags", template["id"], tags)
        self.new_version(caller, template, parameters["LaunchTemplateData"], parameters)
        return {"launchTemplate": self.row(template), "warning": self.warning(caller, parameters["LaunchTemplateData"])}

    def CreateLaunchTemplateVersion(self, caller, parameters):
        template = self.find(caller, parameters)
        self.ec2.allow(caller, "CreateLaunchTemplateVersion", "launch-template/" + template["id"])
        token = parameters.get("ClientToken")
        for version in template["versions"].values() if token else []:
            if version["token"] == token:
                if version["parameters"] != parameters:
                    raise ApiError("IdempotentParameterMismatch", "the client token was used with other parameters")
                return {"launchTemplateVersion": self.version_row(template, version)}
        data = {}
        if "SourceVersion" in parameters:
            data = dict(self.version(template, parameters["SourceVersion"])["data"])
            # "Snapshots applied to the block device mapping are ignored when creating a new version unless they are explicitly
            # included" (CreateLaunchTemplateVersion).
            if "BlockDeviceMapping" in data:
                data["BlockDeviceMapping"] = [
                    {**m, "Ebs": {k: v for k, v in m["Ebs"].items() if k != "SnapshotId"}} if "Ebs" in m else m
                    for m in data["BlockDeviceMapping"]]
        data.update(parameters["LaunchTemplateData"])
        version = self.new_version(caller, template, data, parameters)
        return {"launchTemplateVersion": self.version_row(template, version), "warning": self.warning(caller, data)}

    def DescribeLaunchTemplates(self, caller, parameters):
        self.ec2.allow(caller, "DescribeLaunchTemplates")
        found = self.own(caller)
        for member, key, code in (("LaunchTemplateId", "id", "InvalidLaunchTemplateId.NotFound"),
                                  ("LaunchTemplateName", "name", "InvalidLaunchTemplateName.NotFoundException")):
            for wanted in parameters.get(member, []):
                if wanted not in [t[key] for t in found]:
                    raise ApiError(code, "At least one of the launch templates specified in the request does not exist.")
            if member in parameters:
                found = [t for t in found if t[key] in parameters[member]]
        fields = {"launch-template-name": lambda t: t["name"], "create-time": lambda t: iso(t["created"])}
        found = ec2.filtered(found, parameters.get("Filter", []), fields, lambda t: self.ec2.tags(t["id"]))
        page, token = ec2.paged(sorted(found, key=lambda t: t["id"]), parameters, 1, 200)
        return {"launchTemplates": [self.row(t) for t in page], "nextToken": token}

    def DescribeLaunchTemplateVersions(self, caller, parameters):
        self.ec2.allow(caller, "DescribeLaunchTemplateVersions")
        wanted = parameters.get("LaunchTemplateVersion", [])
        if "LaunchTemplateId" not in parameters and "LaunchTemplateName" not in parameters:
            if not wanted or set(wanted) - {"$Latest", "$Default"}:
                raise ApiError("InvalidParameterValue", "without a template the versions are $Latest or $Default")
            templates = self.own(caller)
        else:
            templates = [self.find(caller, parameters)]
        rows = []
        for template in templates:
            if wanted:
                versions = [self.version(template, w) for w in wanted]
            else:
                low, high = int(parameters.get("MinVersion", 1)), int(parameters.get("MaxVersion", 1 << 31))
                versions = [v for v in template["versions"].values() if low <= v["number"] <= high]
            unique = {v["number"]: v for v in versions}
            rows += [(template, unique[n]) for n in sorted(unique, reverse=True)]
        fields = {"image-id": lambda r: r[1]["data"].get("ImageId"), "instance-type": lambda r: r[1]["data"].get("InstanceType"),
                  "is-default-version": lambda r: str(r[1]["number"] == r[0]["default"]).lower()}
        rows = ec2.filtered(rows, parameters.get("Filter", []), fields, lambda r: {})
        page, token = ec2.paged(rows, parameters, 1, 200)
        return {"launchTemplateVersionSet": [self.version_row(*r) for r in page], "nextToken": token}

    def ModifyLaunchTemplate(self, caller, parameters):
        template = self.find(caller, parameters)
        self.ec2.allow(caller, "ModifyLaunchTemplate", "launch-template/" + template["id"])
        template["default"] = self.version(template, parameters.get("SetDefaultVersion", ""))["number"]
        self.save(template)
        return {"launchTemplate": self.row(template)}

    def DeleteLaunchTemplate(self, caller, parameters):
        template = self.find(caller, parameters)
        self.ec2.allow(caller, "DeleteLaunchTemplate", "launch-template/" + template["id"])
        row = self.row(template)
        self.world.store.delete("templates", template["id"])
        return {"launchTemplate": row}

    def DeleteLaunchTemplateVersions(self, caller, parameters):
        template, gone, kept = self.find(caller, parameters), [], []
        self.ec2.allow(caller, "DeleteLaunchTemplateVersions", "launch-template/" + template["id"])
        for number in parameters["LaunchTemplateVersion"]:
            one = {"launchTemplateId": template["id"], "launchTemplateName": template["name"], "versionNumber": number}
            if number in template["versions"] and number != str(template["default"]):
                del template["versions"][number]
                gone.append(one)
            else:
                code = "launchTemplateVersionDoesNotExist" if number not in template["versions"] else "unexpectedError"
                kept.append({**one, "responseError": {"code": code, "message": "version %s" % number}})
        self.save(template)
        return {"successfullyDeletedLaunchTemplateVersionSet": gone, "unsuccessfullyDeletedLaunchTemplateVersionSet": kept}
