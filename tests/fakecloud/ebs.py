# SPDX-License-Identifier: Apache-2.0
"""EBS direct APIs (2019-11-02; AWS's model of rest-json, and the EBS User Guide's "EBS direct APIs")."""
import base64
import hashlib
import json
import re
import time

import access
import lineage
from answers import Answer, ApiError, json_answer
from blocks import BLOCK
from store import new_id
from tokens import seal, unseal

ROUTES = [
    ("POST", re.compile(r"/snapshots\Z"), "StartSnapshot"),
    ("POST", re.compile(r"/snapshots/completion/([^/]+)\Z"), "CompleteSnapshot"),
    ("PUT", re.compile(r"/snapshots/([^/]+)/blocks/([^/]+)\Z"), "PutSnapshotBlock"),
    ("GET", re.compile(r"/snapshots/([^/]+)/blocks/([^/]+)\Z"), "GetSnapshotBlock"),
    ("GET", re.compile(r"/snapshots/([^/]+)/blocks\Z"), "ListSnapshotBlocks"),
    ("GET", re.compile(r"/snapshots/([^/]+)/changedblocks\Z"), "ListChangedBlocks"),
]
COMMON = {"x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent"}
HEADERS = {
    "PutSnapshotBlock": {"x-amz-data-length", "x-amz-checksum", "x-amz-checksum-algorithm", "x-amz-progress"},
    "CompleteSnapshot": {"x-amz-changedblockscount", "x-amz-checksum", "x-amz-checksum-algorithm",
                         "x-amz-checksum-aggregation-method"},
}
QUERY = {
    "ListSnapshotBlocks": {"maxResults", "pageToken", "startingBlockIndex"},
    "ListChangedBlocks": {"maxResults", "pageToken", "startingBlockIndex", "firstSnapshotId"},
    "GetSnapshotBlock": {"blockToken"},
}
MEMBERS = {"VolumeSize": int, "ParentSnapshotId": str, "Tags": list, "Description": str, "ClientToken": str,
           "Encrypted": bool, "KmsKeyArn": str, "Timeout": int}
BLOCK_TOKEN_S = 7 * 86400
PAGE_TOKEN_S = 3600


def action_of(request):
    for method, pattern, action in ROUTES:
        if method == request.method and pattern.match(request.path):
            return action
    return "UnknownOperation"


def invalid(message, reason="INVALID_PARAMETER_VALUE"):
    return ApiError("ValidationException", message, 400, reason)


def number(text, what, low, high):
    if text is None or not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
        raise invalid("%s '%s' is not a number of %d to %d" % (what, text, low, high))
    return int(text)


class Service:
    def __init__(self, world):
        self.world = world

    def answer(self, request, caller):
        action = request.info["action"]
        for method, pattern, name in ROUTES:
            if name == action and method == request.method:
                words = pattern.match(request.path).groups()
                break
        else:
            raise ApiError("UnknownOperationException", "%s %s" % (request.method, request.path), 404)
        self.check_names(request, action)
        if words and not re.fullmatch(r"snap-[0-9a-f]+", words[0]):
            raise invalid("the snapshot id '%s' is not valid" % words[0][:64], "INVALID_SNAPSHOT_ID")
        return getattr(self, action)(request, caller, *words)

    def check_names(self, request, action):
        known = COMMON | HEADERS.get(action, set())
        for name in request.headers:
            if name.startswith("x-amz-") and name not in known:
                raise invalid("%s has no header %s" % (action, name))
        if "content-encoding" in request.headers:
            raise invalid("content encoding", "INVALID_CONTENT_ENCODING")
        from urllib.parse import parse_qsl
        pairs = parse_qsl(request.query, keep_blank_values=True)
        request.info["query"] = dict(pairs)
        if len(request.info["query"]) != len(pairs):
            raise invalid("a query parameter twice")
        for name in request.info["query"]:
            if name not in QUERY.get(action, ()):
                raise invalid("%s has no query parameter '%s'" % (action, name))
        if request.method == "GET" and request.body:
            raise invalid("a GET with a body")

    def find(self, caller, snapshot_id, action):
        """The snapshot, if it is the caller's to use with EBS direct."""
        with self.world.lock:
            snapshot = self.world.store.get("snapshots", snapshot_id)
            missing = ApiError("ResourceNotFoundException", "The snapshot '%s' does not exist." % snapshot_id, 404,
                               "SNAPSHOT_NOT_FOUND")
            if snapshot is None or snapshot["region"] != caller.region or snapshot.get("deleted"):
                raise missing
            if snapshot["owner"] != caller.account and caller.account not in snapshot["shared"]:
                raise missing
            arn = self.world.arn("ec2", caller.region, "", "snapshot/" + snapshot_id)
            access.authorize(caller, "ebs:" + action, arn, lineage.tags(self.world, snapshot_id))
            if not self.world.passed(snapshot["started"], self.world.settings["start_lag_s"]):
                raise missing
            return snapshot

    def StartSnapshot(self, request, caller):
        body = self.json_body(request)
        size = body["VolumeSize"]
        tags = self.checked_tags(body.get("Tags", []))
        access.authorize(caller, "ebs:StartSnapshot", self.world.arn("ec2", caller.region, "", "snapshot/*"),
                         request_tags=tags)
        if tags:
            access.authorize(caller, "ec2:CreateTags", self.world.arn("ec2", caller.region, "", "snapshot/*"),
                             request_tags=tags)
        with self.world.lock:
            token = body.get("ClientToken")
            parameters = {k: v for k, v in body.items() if k != "ClientToken"}
            known = self.by_token(caller, token)
            if known is not None:
                if known["parameters"] != parameters:
                    raise ApiError("ConflictException", "The client token was used with other parameters.", 409)
                return json_answer(self.described(known), 201)
            encrypted, key = self.encryption(caller, body, size)
            pending = sum(1 for s in self.world.store.all("snapshots") if s["owner"] == caller.account
                          and s["region"] == caller.region and lineage.status(self.world, s) == "pending"
                          and not s.get("deleted"))
            if pending >= self.world.settings["pending_snapshots"]:
                raise ApiError("ConcurrentLimitExceededException",
                               "You have reached the limit of %d pending snapshots." % pending, 400)
            now = time.time()
            snapshot = {
                "id": new_id("snap"), "region": caller.region, "owner": caller.account, "size": size, "status": "pending",
                "description": body.get("Description", ""), "parent": body.get("ParentSnapshotId"),
                "encrypted": encrypted, "kms_key": key, "started": now, "touched": now, "timeout": body.get("Timeout", 60),
                "token": token, "parameters": parameters, "shared": [], "complete_at": None, "progress": "0%",
                "block_tags": tags,
            }
            self.world.store.save("snapshots", snapshot["id"], snapshot)
            if tags:
                self.world.store.save("tags", snapshot["id"], tags)
            return json_answer(self.described(snapshot), 201)

    def json_body(self, request):
        try:
            body = json.loads(bytes(request.body))
        except ValueError as e:
            raise ApiError("SerializationException", "the body is not JSON: %s" % e) from None
        for name, value in body.items():
            if name not in MEMBERS:
                raise invalid("StartSnapshot has no member '%s'" % name)
            if type(value) is not MEMBERS[name]:  # pylint: disable=unidiomatic-typecheck
                raise ApiError("SerializationException", "%s is not a %s" % (name, MEMBERS[name].__name__))
        if "VolumeSize" not in body or not 1 <= body["VolumeSize"] <= 65536:
            raise invalid("VolumeSize is 1 to 65536 GiB", "INVALID_VOLUME_SIZE")
        if not 10 <= body.get("Timeout", 60) <= 4320:
            raise invalid("Timeout is 10 to 4320 minutes")
        if len(body.get("Description", "")) > 255:
            raise invalid("Description is longer than 255 characters")
        if "ClientToken" in body and not re.fullmatch(r"\S{1,255}", body["ClientToken"]):
            raise invalid("ClientToken is 1 to 255 characters without blanks")
        return body

    def checked_tags(self, tags):
        """The list of {Key, Value} as a dict. Limits: the model's TagKey and TagValue."""
        result = {}
        for tag in tags:
            if not isinstance(tag, dict) or set(tag) - {"Key", "Value"} or not isinstance(tag.get("Key"), str):
                raise invalid("a tag is {Key, Value}", "INVALID_TAG")
            key, value = tag["Key"], tag.get("Value", "")
            if not 1 <= len(key) <= 127 or len(value) > 255 or key.lower().startswith("aws:") or key in result:
                raise invalid("the tag '%s' is too long, reserved or there twice" % key[:40], "INVALID_TAG")
            result[key] = value
        if len(result) > 50:
            raise invalid("more than 50 tags", "INVALID_TAG")
        return result

    def by_token(self, caller, token):
        if token is None:
            return None
        for snapshot in self.world.store.all("snapshots"):
            if (snapshot["token"], snapshot["owner"], snapshot["region"]) == (token, caller.account, caller.region):
                return snapshot
        return None

    def encryption(self, caller, body, size):
        """Whether the new snapshot is encrypted, and its key. The parent's rules: User Guide, "Start a snapshot"."""
        settings = self.world.settings
        default = settings["encryption_by_default"].get(caller.region)
        parent_id, key = body.get("ParentSnapshotId"), body.get("KmsKeyArn")
        if parent_id is not None:
            if "Encrypted" in body or key:
                raise invalid("ParentSnapshotId is not specified together with Encrypted or KmsKeyArn")
            parent = self.world.store.get("snapshots", parent_id)
            if parent is None or parent["region"] != caller.region or parent["owner"] != caller.account \
                    or parent.get("deleted"):
                raise ApiError("ResourceNotFoundException", "The parent snapshot '%s' does not exist." % parent_id, 404,
                               "SNAPSHOT_NOT_FOUND")
            if lineage.status(self.world, parent) != "completed":
                raise invalid("the parent snapshot is not completed", "INVALID_SNAPSHOT_ID")
            if "all" in parent["shared"]:
                raise invalid("the parent snapshot is public", "INVALID_SNAPSHOT_ID")
            if size < parent["size"]:
                raise invalid("VolumeSize is smaller than the parent's", "INVALID_VOLUME_SIZE")
            if default and not parent["encrypted"]:
                raise invalid("the parent is not encrypted but the account encrypts by default")
            return parent["encrypted"], parent["kms_key"]
        if key:
            if not re.fullmatch(r"arn:aws[a-z-]*:kms:[^:]*:[0-9]{12}:key/.+", key):
                raise invalid("KmsKeyArn is not the ARN of a key", "INVALID_CUSTOMER_KEY")
            known = settings["kms_keys"].get(caller.region)
            if key.split(":")[3] != caller.region or known is not None and key not in known:
                raise invalid("the key does not exist here", "INVALID_CUSTOMER_KEY")
            if body.get("Encrypted") is False:
                raise invalid("KmsKeyArn without Encrypted")
        if key or body.get("Encrypted") or default:
            return True, key or lineage.default_key(self.world, caller.region, caller.account)
        return False, None

    def described(self, snapshot):
        answer = {
            "SnapshotId": snapshot["id"], "OwnerId": snapshot["owner"], "VolumeSize": snapshot["size"],
            "Status": lineage.status(self.world, snapshot), "StartTime": snapshot["started"], "BlockSize": BLOCK,
            "Description": snapshot["description"],
            "Tags": [{"Key": k, "Value": v} for k, v in snapshot["block_tags"].items()],
        }
        if snapshot["parent"]:
            answer["ParentSnapshotId"] = snapshot["parent"]
        if snapshot["kms_key"]:
            answer["KmsKeyArn"] = snapshot["kms_key"]
        return answer

    def PutSnapshotBlock(self, request, caller, snapshot_id, index):
        headers, body = request.headers, request.body
        if headers.get("x-amz-data-length") != str(BLOCK) or len(body) != BLOCK:
            raise invalid("x-amz-Data-Length '%s', body of %d bytes: a block has %d"
                          % (headers.get("x-amz-data-length"), len(body), BLOCK), "INVALID_BLOCK")
        if headers.get("x-amz-checksum-algorithm") != "SHA256":
            raise invalid("x-amz-Checksum-Algorithm is SHA256")
        if "x-amz-progress" in headers:
            number(headers["x-amz-progress"], "x-amz-Progress", 0, 100)
        checksum = base64.b64encode(request.digest).decode()
        if headers.get("x-amz-checksum") != checksum:
            raise invalid("x-amz-Checksum is not that of the data, which is %s" % checksum, "INVALID_BLOCK")
        snapshot = self.find(caller, snapshot_id, "PutSnapshotBlock")
        index = number(index, "block index", 0, snapshot["size"] * 2048 - 1)
        with self.world.lock:
            if snapshot["status"] != "pending" or lineage.status(self.world, snapshot) != "pending":
                raise invalid("the snapshot is not pending", "INVALID_SNAPSHOT_ID")
            rate = self.world.settings["throttle"].get("PutSnapshotBlock:snapshot")
            snapshot["touched"] = time.time()
        if rate and self.world.throttled(snapshot_id, rate):
            self.world.count("throttled:PutSnapshotBlock:snapshot")
            raise ApiError("RequestThrottledException", "too many blocks", 400, "RESOURCE_LEVEL_THROTTLE")
        kept = self.world.blocks(snapshot_id)
        self.world.count("blocks:rewritten" if index in kept.digests else "blocks:new")
        kept.put(index, request.digest, body, self.world.settings["store"] == "full")
        return Answer(201, b"", {"x-amz-Checksum": checksum, "x-amz-Checksum-Algorithm": "SHA256"})

    def CompleteSnapshot(self, request, caller, snapshot_id):
        headers = request.headers
        if request.body:
            raise invalid("CompleteSnapshot has no body")
        count = number(headers.get("x-amz-changedblockscount"), "x-amz-ChangedBlocksCount", 0, 1 << 30)
        snapshot = self.find(caller, snapshot_id, "CompleteSnapshot")
        given = [headers.get("x-amz-" + n) for n in ("checksum", "checksum-algorithm", "checksum-aggregation-method")]
        if any(given) and (given[1:] != ["SHA256", "LINEAR"] or not given[0]):
            raise invalid("a checksum comes with x-amz-Checksum-Algorithm SHA256 and Aggregation-Method LINEAR")
        with self.world.lock:
            kept = self.world.blocks(snapshot_id)
            status = lineage.status(self.world, snapshot)
            if status != "pending":
                raise invalid("the snapshot is %s" % status, "INVALID_SNAPSHOT_ID")
            if count != len(kept.digests):
                raise invalid("x-amz-ChangedBlocksCount is %d; %d blocks were written" % (count, len(kept.digests)))
            if given[0] and given[0] != kept.linear():
                raise invalid("x-amz-Checksum is not the LINEAR checksum of the blocks", "INVALID_BLOCK")
            if snapshot["status"] == "pending":
                snapshot["status"] = "completing"
                snapshot["complete_at"] = self.world.after(self.world.settings["complete_s"])
                self.world.store.save("snapshots", snapshot_id, snapshot)
        return json_answer({"Status": lineage.status(self.world, snapshot)}, 202)

    def readable(self, caller, snapshot_id, action):
        """A completed snapshot; right after its completion List and Get do not know it yet (cloud-apis: list lag)."""
        snapshot = self.find(caller, snapshot_id, action)
        if lineage.status(self.world, snapshot) != "completed":
            raise invalid("the snapshot is %s" % lineage.status(self.world, snapshot), "INVALID_SNAPSHOT_ID")
        if not self.world.passed(snapshot["complete_at"] or 0, self.world.settings["list_lag_s"]):
            raise ApiError("ResourceNotFoundException", "The snapshot '%s' does not exist." % snapshot_id, 404,
                           "SNAPSHOT_NOT_FOUND")
        return snapshot

    def page(self, request, caller, snapshot, indexes, entry):
        """One page of a listing: what is common to both kinds."""
        query = request.info["query"]
        limit = number(query.get("maxResults", "10000"), "maxResults", 100, 10000)
        limit = min(limit, self.world.settings["page"])
        start = number(query.get("startingBlockIndex", "0"), "startingBlockIndex", 0, 1 << 31)
        scope = [request.path, query.get("firstSnapshotId"), caller.account]
        if "pageToken" in query:
            start = unseal(self.world, "page", scope, query["pageToken"], "INVALID_PAGE_TOKEN")
        left = [i for i in indexes if i >= start]
        expiry = self.world.after(BLOCK_TOKEN_S)
        answer = {"ExpiryTime": expiry, "VolumeSize": snapshot["size"], "BlockSize": BLOCK}
        if len(left) > limit:
            answer["NextToken"] = seal(self.world, "page", scope, left[limit], self.world.after(PAGE_TOKEN_S))
        return answer, [entry(i, expiry) for i in left[:limit]]

    def block_token(self, snapshot, index, expiry):
        return seal(self.world, "block", [snapshot["id"], index], index, expiry)

    def ListSnapshotBlocks(self, request, caller, snapshot_id):
        snapshot = self.readable(caller, snapshot_id, "ListSnapshotBlocks")

        def entry(index, expiry):
            return {"BlockIndex": index, "BlockToken": self.block_token(snapshot, index, expiry)}

        answer, listed = self.page(request, caller, snapshot, lineage.effective(self.world, snapshot), entry)
        return json_answer({"Blocks": listed, **answer})

    def ListChangedBlocks(self, request, caller, snapshot_id):
        second = self.readable(caller, snapshot_id, "ListChangedBlocks")
        first_id, first, before = request.info["query"].get("firstSnapshotId"), None, {}
        if first_id is not None:
            first = self.readable(caller, first_id, "ListChangedBlocks")
            if lineage.root(self.world, first) != lineage.root(self.world, second):
                raise invalid("the snapshots are not of one lineage", "UNRELATED_SNAPSHOTS")
            before = lineage.effective(self.world, first)
        after = lineage.effective(self.world, second)
        changed = sorted(i for i in before.keys() | after.keys() if before.get(i) != after.get(i))

        def entry(index, expiry):
            one = {"BlockIndex": index}
            if index in before:
                one["FirstBlockToken"] = self.block_token(first, index, expiry)
            if index in after:
                one["SecondBlockToken"] = self.block_token(second, index, expiry)
            return one

        answer, listed = self.page(request, caller, second, changed, entry)
        return json_answer({"ChangedBlocks": listed, **answer})

    def GetSnapshotBlock(self, request, caller, snapshot_id, index):
        snapshot = self.readable(caller, snapshot_id, "GetSnapshotBlock")
        index = number(index, "block index", 0, snapshot["size"] * 2048 - 1)
        token = request.info["query"].get("blockToken")
        if token is None:
            raise invalid("no blockToken", "INVALID_BLOCK_TOKEN")
        unseal(self.world, "block", [snapshot_id, index], token, "INVALID_BLOCK_TOKEN")
        data = lineage.read(self.world, snapshot, index)
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        if request.info.get("fault") == "corrupt":
            data = bytes([data[0] ^ 1]) + data[1:]
        return Answer(200, data, {
            "Content-Type": "application/octet-stream", "x-amz-Data-Length": str(BLOCK), "x-amz-Checksum": checksum,
            "x-amz-Checksum-Algorithm": "SHA256"})
