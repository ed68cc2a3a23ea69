# SPDX-License-Identifier: Apache-2.0
"""EC2's side of snapshots: describe, share, copy, delete."""
import time

import ec2
import lineage
from answers import ApiError, iso
from store import new_id

PERMISSION = [{"Group": "str", "UserId": "str"}]


class Part:
    def __init__(self, world, service):
        self.world, self.ec2 = world, service
        tags = [{"ResourceType!": "str", "Tag!": ec2.TAGS}]
        self.SHAPES = {
            "DescribeSnapshots": {"SnapshotId": ["str"], "Owner": ["str"], "RestorableBy": ["str"], "Filter": ec2.FILTERS,
                                  "MaxResults": "int", "NextToken": "str"},
            "DeleteSnapshot": {"SnapshotId!": "str"},
            "ModifySnapshotAttribute": {
                "SnapshotId!": "str", "Attribute": "str", "OperationType": "str", "UserId": ["str"], "UserGroup": ["str"],
                "CreateVolumePermission": {"Add": PERMISSION, "Remove": PERMISSION}},
            "DescribeSnapshotAttribute": {"SnapshotId!": "str", "Attribute!": "str"},
            "CopySnapshot": {"SourceRegion!": "str", "SourceSnapshotId!": "str", "Description": "str", "Encrypted": "bool",
                             "KmsKeyId": "str", "TagSpecification": tags, "DestinationRegion": "str", "PresignedUrl": "str"},
        }

    def find(self, caller, key):
        if not key.startswith("snap-"):
            raise ApiError("InvalidSnapshotID.Malformed", 'Invalid id: "%s" (expecting "snap-...")' % key)
        return self.ec2.resource(caller, key)[0]

    def visible(self, caller, snapshot):
        return snapshot["region"] == caller.region and not snapshot.get("deleted") and (
            snapshot["owner"] == caller.account or caller.account in snapshot["shared"] or "all" in snapshot["shared"])

    def row(self, snapshot):
        status = lineage.status(self.world, snapshot)
        message = "Snapshot timed out" if status == "error" else None
        return {
            "snapshotId": snapshot["id"], "volumeId": "vol-ffffffff", "status": status, "statusMessage": message,
            "startTime": iso(snapshot["started"]), "progress": "100%" if status == "completed" else "0%",
            "ownerId": snapshot["owner"], "volumeSize": snapshot["size"], "description": snapshot["description"],
            "encrypted": snapshot["encrypted"], "kmsKeyId": snapshot["kms_key"], "storageTier": "standard",
            "tagSet": ec2.tag_set(self.ec2.tags(snapshot["id"])),
        }

    def DescribeSnapshots(self, caller, parameters):
        self.ec2.allow(caller, "DescribeSnapshots")
        found = [s for s in self.world.store.all("snapshots") if self.visible(caller, s)]
        for key in parameters.get("SnapshotId", []):
            if not key.startswith("snap-"):
                raise ApiError("InvalidSnapshotID.Malformed", 'Invalid id: "%s"' % key)
            if key not in [s["id"] for s in found]:
                raise ApiError("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist." % key)
        if "SnapshotId" in parameters:
            if "MaxResults" in parameters:
                raise ApiError("InvalidParameterCombination", "MaxResults together with snapshot ids")
            found = [s for s in found if s["id"] in parameters["SnapshotId"]]
        owners = [caller.account if o == "self" else o for o in parameters.get("Owner", [])]
        if owners:
            found = [s for s in found if s["owner"] in owners]
        fields = {
            "status": lambda s: lineage.status(self.world, s), "snapshot-id": lambda s: s["id"],
            "description": lambda s: s["description"], "owner-id": lambda s: s["owner"],
            "volume-size": lambda s: s["size"], "encrypted": lambda s: str(s["encrypted"]).lower(),
            "start-time": lambda s: iso(s["started"]),
        }
        found = ec2.filtered(found, parameters.get("Filter", []), fields, lambda s: self.ec2.tags(s["id"]))
        found.sort(key=lambda s: (s["started"], s["id"]))
        page, token = ec2.paged(found, parameters)
        return {"snapshotSet": [self.row(s) for s in page], "nextToken": token}

    def DeleteSnapshot(self, caller, parameters):
        key = parameters["SnapshotId"]
        snapshot = self.find(caller, key)
        self.ec2.allow(caller, "DeleteSnapshot", "snapshot/" + key)
        for image in self.world.store.all("images"):
            if image["state"] != "deregistered" and key in [m.get("Ebs", {}).get("SnapshotId") for m in image["mappings"]]:
                raise ApiError("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s" % (key, image["id"]))
        # Its blocks stay: children and copies read them.
        snapshot["deleted"] = True
        snapshot["token"] = None
        self.world.store.save("snapshots", key, snapshot)
        self.world.store.delete("tags", key)
        return {"return": True}

    def ModifySnapshotAttribute(self, caller, parameters):
        key = parameters["SnapshotId"]
        snapshot = self.find(caller, key)
        change = parameters.get("CreateVolumePermission", {})
        if not change:
            if parameters.get("Attribute") != "createVolumePermission" or parameters.get("OperationType") not in ("add", "remove"):
                raise ApiError("InvalidParameterCombination", "Attribute createVolumePermission, OperationType add or remove")
            who = [{"UserId": u} for u in parameters.get("UserId", [])] + [{"Group": g} for g in parameters.get("UserGroup", [])]
            change = {parameters["OperationType"].capitalize(): who}
        self.ec2.allow(caller, "ModifySnapshotAttribute", "snapshot/" + key)
        if lineage.status(self.world, snapshot) != "completed":
            raise ApiError("IncorrectState", "The snapshot %s is not completed" % key)
        if snapshot["encrypted"] and (snapshot["kms_key"] or "").endswith("default-ebs-key"):
            raise ApiError("InvalidParameter", "Encrypted snapshots with EBS default key cannot be shared")
        for one in change.get("Add", []):
            who = self.permission(one)
            if who == "all" and snapshot["encrypted"]:
                raise ApiError("OperationNotPermitted", "Encrypted snapshots cannot be public")
            if who not in snapshot["shared"]:
                snapshot["shared"].append(who)
        for one in change.get("Remove", []):
            who = self.permission(one)
            snapshot["shared"] = [s for s in snapshot["shared"] if s != who]
        self.world.store.save("snapshots", key, snapshot)
        return {"return": True}

    def permission(self, one):
        if one.get("Group") == "all":
            return "all"
        account = one.get("UserId", "")
        if len(account) != 12 or not account.isdigit():
            raise ApiError("InvalidAttributeValue", "the account id '%s' is not 12 digits" % account)
        return account

    def DescribeSnapshotAttribute(self, caller, parameters):
        snapshot = self.find(caller, parameters["SnapshotId"])
        self.ec2.allow(caller, "DescribeSnapshotAttribute", "snapshot/" + snapshot["id"])
        if parameters["Attribute"] != "createVolumePermission":
            raise ApiError("InvalidParameterValue", "Attribute '%s'" % parameters["Attribute"])
        return {"snapshotId": snapshot["id"], "createVolumePermission": [
            {"group": "all"} if w == "all" else {"userId": w} for w in snapshot["shared"]]}

    def copy(self, caller, source, description, encrypted, key, tags):
        """A new snapshot of the caller's region with the blocks of another; also for CopyImage. Returns it."""
        default = self.world.settings["encryption_by_default"].get(caller.region)
        if source["encrypted"] and encrypted is False:
            raise ApiError("InvalidParameter", "a copy of an encrypted snapshot is encrypted")
        if key and encrypted is False or key and not (encrypted or source["encrypted"] or default):
            raise ApiError("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
        known = self.world.settings["kms_keys"].get(caller.region)
        if key and known is not None and key not in known and key.rpartition("/")[2] not in [k.rpartition("/")[2] for k in known]:
            raise ApiError("InvalidParameterValue", "The key '%s' does not exist in %s" % (key, caller.region))
        encrypted = bool(source["encrypted"] or encrypted or key or default)
        running = sum(1 for s in self.world.store.all("snapshots") if s.get("copy_of") and s["region"] == caller.region
                      and lineage.status(self.world, s) == "pending")
        if running >= 20:
            raise ApiError("ResourceLimitExceeded", "You have exceeded an Amazon EC2 resource limit: 20 snapshot copies")
        now = time.time()
        snapshot = {
            "id": new_id("snap"), "region": caller.region, "owner": caller.account, "size": source["size"],
            "status": "completing", "complete_at": self.world.after(self.world.settings["copy_s"]), "parent": None,
            "description": description, "encrypted": encrypted, "started": now, "touched": now, "timeout": 0, "token": None,
            "kms_key": (key or lineage.default_key(self.world, caller.region, caller.account)) if encrypted else None,
            "parameters": {}, "shared": [], "progress": "0%", "block_tags": {}, "copy_of": source["id"],
        }
        self.world.store.save("snapshots", snapshot["id"], snapshot)
        if tags:
            self.world.store.save("tags", snapshot["id"], tags)
        return snapshot

    def CopySnapshot(self, caller, parameters):
        self.ec2.allow(caller, "CopySnapshot", "snapshot/*")
        source = self.world.store.get("snapshots", parameters["SourceSnapshotId"])
        if source is None or source["region"] != parameters["SourceRegion"] or source.get("deleted") or (
                source["owner"] != caller.account and caller.account not in source["shared"]):
            raise ApiError("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist." % parameters["SourceSnapshotId"])
        tags = ec2.specified_tags(parameters, "snapshot").get("snapshot", {})
        copy = self.copy(caller, source, parameters.get("Description", ""), parameters.get("Encrypted"),
                         parameters.get("KmsKeyId"), tags)
        return {"snapshotId": copy["id"], "tagSet": ec2.tag_set(tags)}
