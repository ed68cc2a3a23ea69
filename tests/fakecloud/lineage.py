# SPDX-License-Identifier: Apache-2.0
"""Snapshots as a whole: their state over time, and their blocks through parents and copies."""
import time

import blocks


def tags(world, key):
    return world.store.get("tags", key) or {}


def default_key(world, region, account):
    return world.arn("kms", region, account, "key/default-ebs-key")


def status(world, snapshot):
    """pending, completed or error, now."""
    kept = snapshot["status"]
    if kept == "completing":
        if time.time() < snapshot["complete_at"]:
            return "pending"
        snapshot["status"] = snapshot.pop("then", "completed")
        world.store.save("snapshots", snapshot["id"], snapshot)
        return snapshot["status"]
    if kept == "pending" and snapshot["timeout"] and world.passed(snapshot["touched"], snapshot["timeout"] * 60):
        snapshot["status"] = "error"
        world.store.save("snapshots", snapshot["id"], snapshot)
        return "error"
    return kept


def effective(world, snapshot):
    """Ascending index -> (id of the snapshot that it was written to, digest); what an absent one is, materialize says."""
    if snapshot.get("copy_of"):
        source = effective(world, world.store.get("snapshots", snapshot["copy_of"]))
        return {i: (snapshot["id"], digest) for i, (_, digest) in source.items()}
    whole = {}
    if snapshot["parent"]:
        whole.update(effective(world, world.store.get("snapshots", snapshot["parent"])))
    whole.update((i, (snapshot["id"], d)) for i, d in world.blocks(snapshot["id"]).digests.items())
    return dict(sorted(whole.items()))


def root(world, snapshot):
    while snapshot["parent"] and not snapshot.get("copy_of"):
        snapshot = world.store.get("snapshots", snapshot["parent"])
    return snapshot["id"]


def read(world, snapshot, index):
    """The block, or None where nothing was written."""
    while snapshot is not None:
        if snapshot.get("copy_of"):
            snapshot = world.store.get("snapshots", snapshot["copy_of"])
            continue
        kept = world.blocks(snapshot["id"])
        if index in kept.digests:
            return kept.read(index)
        snapshot = world.store.get("snapshots", snapshot["parent"]) if snapshot["parent"] else None
    return None


def materialize(world, snapshot, path, encrypted, size=None):
    """Writes the volume that an instance would see. encrypted: whether the volume is; size: of the volume in GiB."""
    there = effective(world, snapshot)
    with open(path, "wb") as f:
        f.truncate((size or snapshot["size"]) << 30)
        for index in there:
            data = read(world, snapshot, index)
            if data != blocks.ZERO:
                f.seek(index * blocks.BLOCK)
                f.write(data)
        if encrypted:
            for index in range((size or snapshot["size"]) * 2048):
                if index not in there:
                    f.seek(index * blocks.BLOCK)
                    f.write(blocks.garbage(snapshot["id"], index))
    return len(there)
