# SPDX-License-Identifier: Apache-2.0
"""SSM parameters (2014-11-06, json 1.1): PutParameter, GetParameter, GetParameters, GetParametersByPath, DeleteParameter,
AddTagsToResource, ListTagsForResource."""
import json
import re
import time

import access
from answers import ApiError, json_answer

MEMBERS = {
    "PutParameter": {"Name": str, "Description": str, "Value": str, "Type": str, "KeyId": str, "Overwrite": bool,
                     "AllowedPattern": str, "Tags": list, "Tier": str, "Policies": str, "DataType": str},
    "GetParameter": {"Name": str, "WithDecryption": bool},
    "GetParameters": {"Names": list, "WithDecryption": bool},
    "GetParametersByPath": {"Path": str, "Recursive": bool, "ParameterFilters": list, "WithDecryption": bool,
                            "MaxResults": int, "NextToken": str},
    "DeleteParameter": {"Name": str},
    "AddTagsToResource": {"ResourceType": str, "ResourceId": str, "Tags": list},
    "ListTagsForResource": {"ResourceType": str, "ResourceId": str},
}
REQUIRED = {"PutParameter": ["Name", "Value"], "GetParameter": ["Name"], "GetParameters": ["Names"],
            "GetParametersByPath": ["Path"], "DeleteParameter": ["Name"],
            "AddTagsToResource": ["ResourceType", "ResourceId", "Tags"], "ListTagsForResource": ["ResourceType", "ResourceId"]}


class Service:
    def __init__(self, world):
        self.world = world

    def answer(self, request, caller):
        target = request.headers.get("x-amz-target", "")
        action = target.rpartition(".")[2]
        if not target.startswith("AmazonSSM.") or action not in MEMBERS:
            raise ApiError("UnknownOperationException", "X-Amz-Target '%s'" % target)
        if request.headers.get("content-type") != "application/x-amz-json-1.1":
            raise ApiError("SerializationException", "the Content-Type is not application/x-amz-json-1.1")
        try:
            body = json.loads(bytes(request.body))
        except ValueError as e:
            raise ApiError("SerializationException", "the body is not JSON: %s" % e) from None
        for name, value in body.items():
            if type(value) is not MEMBERS[action].get(name):  # pylint: disable=unidiomatic-typecheck
                raise ApiError("ValidationException", "%s has no member '%s' of this type" % (action, name))
        for name in REQUIRED[action]:
            if name not in body:
                raise ApiError("ValidationException", "%s is missing" % name)
        with self.world.lock:
            return json_answer(getattr(self, action)(caller, body), kind="application/x-amz-json-1.1")

    def arn(self, caller, name):
        return self.world.arn("ssm", caller.region, caller.account, "parameter/" + name.lstrip("/"))

    def key(self, caller, name):
        return "%s/%s/%s" % (caller.account, caller.region, name)

    def check_name(self, name):
        if not re.fullmatch(r"[A-Za-z0-9_.\-/]{1,1011}", name) or name.count("/") > 15 or "/" in name and name[0] != "/":
            raise ApiError("ValidationException", "the parameter name '%s' is not valid" % name)
        if re.match(r"/?(aws|ssm)", name, re.I):
            raise ApiError("ValidationException", "a parameter name does not begin with aws or ssm")

    def PutParameter(self, caller, body):
        name = body["Name"]
        access.authorize(caller, "ssm:PutParameter", self.arn(caller, name))
        self.check_name(name)
        known = self.world.store.get("parameters", self.key(caller, name))
        overwrite, tags = body.get("Overwrite", False), body.get("Tags")
        if overwrite and tags is not None:
            raise ApiError("ValidationException", "tags and overwrite can't be used together")
        if known and not overwrite:
            raise ApiError("ParameterAlreadyExists", "The parameter already exists.")
        kind = body.get("Type", known["Type"] if known else None)
        if kind not in ("String", "StringList", "SecureString"):
            raise ApiError("ValidationException", "Type is String, StringList or SecureString")
        if not body["Value"] or len(body["Value"]) > (8192 if body.get("Tier") == "Advanced" else 4096):
            raise ApiError("ValidationException", "the value is empty or too long for its tier")
        data = body.get("DataType", "text")
        if data == "aws:ec2:image":
            image = self.world.store.get("images", body["Value"])
            if image is None or image["region"] != caller.region:
                raise ApiError("ValidationException", "the image %s does not exist here" % body["Value"])
        elif data != "text":
            raise ApiError("ValidationException", "DataType is text or aws:ec2:image")
        parameter = {
            "Name": name, "Type": kind, "Value": body["Value"], "Version": known["Version"] + 1 if known else 1,
            "LastModifiedDate": time.time(), "ARN": self.arn(caller, name), "DataType": data}
        self.world.store.save("parameters", self.key(caller, name), parameter)
        if tags:
            self.world.store.save("tags", self.key(caller, name), {t["Key"]: t["Value"] for t in tags})
        return {"Version": parameter["Version"], "Tier": body.get("Tier", "Standard")}

    def GetParameter(self, caller, body):
        name = body["Name"]
        access.authorize(caller, "ssm:GetParameter", self.arn(caller, name))
        parameter = self.world.store.get("parameters", self.key(caller, name))
        if parameter is None:
            raise ApiError("ParameterNotFound", "")
        return {"Parameter": parameter}

    def GetParameters(self, caller, body):
        found, missing = [], []
        if not 1 <= len(body["Names"]) <= 10:
            raise ApiError("ValidationException", "Names are 1 to 10")
        for name in body["Names"]:
            access.authorize(caller, "ssm:GetParameters", self.arn(caller, name))
            parameter = self.world.store.get("parameters", self.key(caller, name))
            (missing if parameter is None else found).append(name if parameter is None else parameter)
        return {"Parameters": found, "InvalidParameters": missing}

    def GetParametersByPath(self, caller, body):
        access.authorize(caller, "ssm:GetParametersByPath", self.arn(caller, body["Path"]))
        prefix = self.key(caller, body["Path"].rstrip("/") + "/")
        found = [p for k, p in sorted(self.world.store.kind("parameters").items()) if k.startswith(prefix)
                 and (body.get("Recursive") or "/" not in k[len(prefix):])]
        limit, start = body.get("MaxResults", 10), int(body.get("NextToken", "0"))
        if not 1 <= limit <= 10:
            raise ApiError("ValidationException", "MaxResults is 1 to 10")
        answer = {"Parameters": found[start:start + limit]}
        if len(found) > start + limit:
            answer["NextToken"] = str(start + limit)
        return answer

    def DeleteParameter(self, caller, body):
        access.authorize(caller, "ssm:DeleteParameter", self.arn(caller, body["Name"]))
        if self.world.store.get("parameters", self.key(caller, body["Name"])) is None:
            raise ApiError("ParameterNotFound", "")
        self.world.store.delete("parameters", self.key(caller, body["Name"]))
        return {}

    def tagged(self, caller, body, action):
        access.authorize(caller, "ssm:" + action, self.arn(caller, body["ResourceId"]))
        key = self.key(caller, body["ResourceId"])
        if body["ResourceType"] != "Parameter" or self.world.store.get("parameters", key) is None:
            raise ApiError("InvalidResourceId", "no parameter '%s'" % body["ResourceId"])
        return key

    def AddTagsToResource(self, caller, body):
        key = self.tagged(caller, body, "AddTagsToResource")
        tags = {**(self.world.store.get("tags", key) or {}), **{t["Key"]: t["Value"] for t in body["Tags"]}}
        if len(tags) > 50:
            raise ApiError("TooManyTagsError", "more than 50 tags")
        self.world.store.save("tags", key, tags)
        return {}

    def ListTagsForResource(self, caller, body):
        key = self.tagged(caller, body, "ListTagsForResource")
        tags = self.world.store.get("tags", key) or {}
        return {"TagList": [{"Key": k, "Value": v} for k, v in tags.items()]}
