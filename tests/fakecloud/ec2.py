# SPDX-License-Identifier: Apache-2.0
"""EC2 (query of its own kind, 2016-11-15): shared parts, tags and settings; images and snapshots have modules of their own."""
import fnmatch

import access
import ec2_images
import ec2_instances
import ec2_snapshots
import ec2_templates
import query
from answers import ApiError, ec2_answer

VERSION = "2016-11-15"
TAGS = [{"Key!": "str", "Value": "str"}]
FILTERS = [{"Name!": "str", "Value": ["str"]}]
SHAPES = {
    "CreateTags": {"ResourceId!": ["str"], "Tag!": TAGS},
    "DeleteTags": {"ResourceId!": ["str"], "Tag": TAGS},
    "DescribeTags": {"Filter": FILTERS, "MaxResults": "int", "NextToken": "str"},
    "GetEbsEncryptionByDefault": {},
    "EnableEbsEncryptionByDefault": {},
    "DisableEbsEncryptionByDefault": {},
    "GetEbsDefaultKmsKeyId": {},
    "DescribeRegions": {"RegionName": ["str"], "AllRegions": "bool", "Filter": FILTERS},
}
PREFIXES = {"snap": ("snapshots", "snapshot"), "ami": ("images", "image"), "lt": ("templates", "launch-template"),
            "i": ("instances", "instance")}


def check_tags(have, new):
    """The limits of EC2: 50 tags, key of 127, value of 255 characters, aws: reserved. new: [{Key, Value}]."""
    result = dict(have)
    for tag in new:
        key, value = tag["Key"], tag.get("Value", "")
        if not 1 <= len(key) <= 127 or len(value) > 255:
            raise ApiError("InvalidParameterValue", "Tag key or value exceeds the maximum length: '%s'" % key[:40])
        if key.lower().startswith("aws:"):
            raise ApiError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")
        result[key] = value
    if len(result) > 50:
        raise ApiError("TagLimitExceeded", "The maximum number of tags for a resource is 50")
    if len({t["Key"] for t in new}) != len(new):
        raise ApiError("InvalidParameterValue", "a tag key is there twice")
    return result


def tag_set(tags):
    return [{"key": k, "value": v} for k, v in sorted(tags.items())]


def specified_tags(parameters, *allowed):
    """TagSpecification.N -> {resource type: tags}."""
    result = {}
    for one in parameters.get("TagSpecification", []):
        kind = one["ResourceType"]
        if kind not in allowed:
            raise ApiError("InvalidParameterValue", "'%s' is not a valid taggable resource type for this operation." % kind)
        if kind in result:
            raise ApiError("InvalidParameterValue", "the resource type '%s' is there twice" % kind)
        result[kind] = check_tags({}, one["Tag"])
    return result


def filtered(objects, filters, fields, tags_of):
    """EC2's filters: values are alternatives, filters are all needed, '*' and '?' are wildcards. fields: name -> function."""
    for one in filters:
        name, wanted = one["Name"], one.get("Value", [])
        if name.startswith("tag:"):
            def get(o, key=name[4:]):
                return tags_of(o).get(key)
        elif name == "tag-key":
            objects = [o for o in objects if any(k in wanted for k in tags_of(o))]
            continue
        elif name in fields:
            get = fields[name]
        else:
            raise ApiError("InvalidParameterValue", "The filter '%s' is invalid" % name)
        objects = [o for o in objects if get(o) is not None and any(fnmatch.fnmatchcase(str(get(o)), w) for w in wanted)]
    return objects


def paged(objects, parameters, low=5, high=1000):
    """MaxResults and NextToken: returns (page, token or None)."""
    limit = parameters.get("MaxResults")
    start = parameters.get("NextToken", "page-0")
    if not start.startswith("page-") or not start[5:].isdigit():
        raise ApiError("InvalidNextToken", "The NextToken is not valid")
    if limit is not None and not low <= limit <= high:
        raise ApiError("InvalidParameterValue", "MaxResults is %d to %d" % (low, high))
    at = int(start[5:])
    end = at + (limit or high)
    return objects[at:end], "page-%d" % end if len(objects) > end else None


class Service:
    def __init__(self, world):
        self.world = world
        self.parts = [self] + [module.Part(world, self) for module in PARTS]
        self.shapes, self.owner = {}, {}
        for part in self.parts:
            shapes = SHAPES if part is self else part.SHAPES
            for action, shape in shapes.items():
                self.shapes[action] = {"DryRun": "bool", **shape}
                self.owner[action] = part

    def answer(self, request, caller):
        if request.method != "POST" or request.path != "/" or request.query:
            raise ApiError("InvalidRequest", "EC2 is asked by POST /")
        action, parameters = query.parse(query.fields(request), self.shapes, VERSION, False)
        dry = parameters.pop("DryRun", False)
        with self.world.lock:
            part = self.owner[action]
            if dry and not hasattr(part, "dry_" + action):
                access.authorize(caller, "ec2:" + action)
            elif dry:
                getattr(part, "dry_" + action)(caller, parameters)
            if dry:
                raise ApiError("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
            return ec2_answer(action, getattr(part, action)(caller, parameters))

    # What the parts share
    def tags(self, key):
        return self.world.store.get("tags", key) or {}

    def allow(self, caller, action, *arns, request_tags=None):
        """arns as "image/ami-1": checked with the tags that they have; none: the whole account ("*")."""
        for rest in arns or [None]:
            if rest is None:
                access.authorize(caller, "ec2:" + action, request_tags=request_tags)
                continue
            # Of all that is here only images and snapshots have no account in their ARN.
            account = "" if rest.startswith(("image/", "snapshot/")) else caller.account
            arn = self.world.arn("ec2", caller.region, account, rest)
            key = rest.partition("/")[2]
            launched = self.world.store.get("instances", key) or {}
            access.authorize(caller, "ec2:" + action, arn, {**launched.get("tags", {}), **self.tags(key)}, request_tags)

    def resource(self, caller, key):
        """The object of an id, and the kind's name in ARNs."""
        prefix = key.partition("-")[0]
        if prefix not in PREFIXES:
            raise ApiError("InvalidID", "The ID '%s' is not valid" % key)
        kind, name = PREFIXES[prefix]
        found = self.world.store.get(kind, key)
        if found is None or found.get("deleted") or found["region"] != caller.region or found["owner"] != caller.account:
            code = {"snap": "InvalidSnapshot.NotFound", "ami": "InvalidAMIID.NotFound", "i": "InvalidInstanceID.NotFound"}
            raise ApiError(code.get(prefix, "InvalidID.NotFound"), "The ID '%s' does not exist" % key)
        if kind == "images" and not self.world.passed(found["created"], self.world.settings["image_lag_s"]):
            raise ApiError("InvalidAMIID.NotFound", "The image id '[%s]' does not exist" % key)
        return found, name

    def CreateTags(self, caller, parameters):
        wanted = {t["Key"]: t.get("Value", "") for t in parameters["Tag"]}
        for key in parameters["ResourceId"]:
            _, name = self.resource(caller, key)
            self.allow(caller, "CreateTags", "%s/%s" % (name, key), request_tags=wanted)
            check_tags(self.tags(key), parameters["Tag"])
        for key in parameters["ResourceId"]:
            self.world.store.save("tags", key, check_tags(self.tags(key), parameters["Tag"]))
        return {"return": True}

    def DeleteTags(self, caller, parameters):
        for key in parameters["ResourceId"]:
            _, name = self.resource(caller, key)
            self.allow(caller, "DeleteTags", "%s/%s" % (name, key))
            have = self.tags(key)
            gone = parameters.get("Tag") or [{"Key": k} for k in have]
            for tag in gone:
                if "Value" not in tag or have.get(tag["Key"]) == tag["Value"]:
                    have.pop(tag["Key"], None)
            self.world.store.save("tags", key, have)
        return {"return": True}

    def DescribeTags(self, caller, parameters):
        self.allow(caller, "DescribeTags")
        rows = []
        for key, tags in self.world.store.kind("tags").items():
            prefix = key.partition("-")[0]
            if prefix in PREFIXES:
                found = self.world.store.get(PREFIXES[prefix][0], key)
                if found and found["region"] == caller.region and found["owner"] == caller.account:
                    rows += [{"resourceId": key, "resourceType": PREFIXES[prefix][1], "key": k, "value": v}
                             for k, v in sorted(tags.items())]
        fields = {"resource-id": lambda r: r["resourceId"], "resource-type": lambda r: r["resourceType"],
                  "key": lambda r: r["key"], "value": lambda r: r["value"]}
        page, token = paged(filtered(rows, parameters.get("Filter", []), fields, lambda r: {r["key"]: r["value"]}), parameters)
        return {"tagSet": page, "nextToken": token}

    def GetEbsEncryptionByDefault(self, caller, _):
        self.allow(caller, "GetEbsEncryptionByDefault")
        return {"ebsEncryptionByDefault": bool(self.world.settings["encryption_by_default"].get(caller.region))}

    def set_default(self, caller, value):
        changed = {**self.world.settings["encryption_by_default"], caller.region: value}
        self.world.settings.change({"encryption_by_default": changed})
        return {"ebsEncryptionByDefault": value}

    def EnableEbsEncryptionByDefault(self, caller, _):
        self.allow(caller, "EnableEbsEncryptionByDefault")
        return self.set_default(caller, True)

    def DisableEbsEncryptionByDefault(self, caller, _):
        self.allow(caller, "DisableEbsEncryptionByDefault")
        return self.set_default(caller, False)

    def GetEbsDefaultKmsKeyId(self, caller, _):
        self.allow(caller, "GetEbsDefaultKmsKeyId")
        return {"kmsKeyId": "alias/aws/ebs"}

    def DescribeRegions(self, caller, parameters):
        from world import REGIONS
        self.allow(caller, "DescribeRegions")
        wanted = parameters.get("RegionName", REGIONS)
        for name in wanted:
            if name not in REGIONS:
                raise ApiError("InvalidParameterValue", "Invalid region name %s" % name)
        return {"regionInfo": [{"regionName": r, "regionEndpoint": "ec2.%s.amazonaws.com" % r,
                                "optInStatus": "opt-in-not-required"} for r in REGIONS if r in wanted]}


PARTS = [ec2_images, ec2_snapshots, ec2_templates, ec2_instances]
