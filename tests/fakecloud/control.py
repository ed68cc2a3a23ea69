# SPDX-License-Identifier: Apache-2.0
"""What a test asks and orders, below /_fake/: no signature, JSON.

GET settings, PATCH settings (an object of changes; null: the default again), GET counters, DELETE counters, GET log, DELETE log,
GET objects/KIND, POST corrupt {"snapshot", "block", "byte"}, POST snapshot {"id", "status"}, POST image {"id", "state"}, POST instance {"id", ...},
POST group {"name", "special"},
GET blocks/SNAPSHOT, GET machines, POST new-image {...}, POST new-balancer {...}, POST new-fleet {...} (fixtures.py).
"""
import hashlib
import json
import time

import faults
import fixtures
from answers import ApiError, json_answer


class Service:
    def __init__(self, world, app):
        self.world, self.app = world, app

    def answer(self, request):
        words = request.path[len("/_fake/"):].split("/")
        name = "%s_%s" % (request.method.lower(), words[0].replace("-", "_"))
        handler = getattr(self, name, None)
        if handler is None:
            return json_answer({"error": "no %s %s" % (request.method, request.path)}, 404)
        try:
            body = json.loads(bytes(request.body)) if request.body else {}
            with self.world.lock:
                return json_answer(handler(body, *words[1:]))
        except (KeyError, ValueError, TypeError) as e:
            return json_answer({"error": "%s: %s" % (type(e).__name__, e)}, 400)
        except ApiError as e:
            return json_answer({"error": "%s: %s" % (e.code, e.message)}, 400)

    def get_settings(self, _):
        return self.world.settings.values

    def patch_settings(self, body):
        if "faults" in body:
            faults.check(body["faults"] or [])
            self.app.faults.clear()
        if "throttle" in body:
            self.world.buckets.clear()
        self.world.settings.change(body)
        return self.world.settings.values

    def get_counters(self, _):
        return dict(self.world.counters)

    def delete_counters(self, _):
        self.world.counters.clear()
        self.world.counters["connections:peak"] = self.app.open
        return {}

    def get_log(self, _, action=None):
        return [e for e in self.world.log if action in (None, e["action"])]

    def delete_log(self, _):
        self.world.log.clear()
        return {}

    def get_objects(self, _, kind=None):
        return self.world.store.kinds if kind is None else self.world.store.kind(kind)

    def get_machines(self, _):
        """Instance -> its process, whether that runs, and which ports of 127.0.0.1 lead to which of its own."""
        return self.world.machines.rows()

    def get_blocks(self, _, snapshot_id):
        """Index -> SHA-256 in hex of what the snapshot itself was given."""
        return {str(i): d.hex() for i, d in sorted(self.world.blocks(snapshot_id).digests.items())}

    def post_corrupt(self, body):
        """Turns a byte of a block that is stored, its digest with it: what a defect of the cloud would look like."""
        kept, index = self.world.blocks(body["snapshot"]), body["block"]
        data = bytearray(kept.read(index))
        data[body.get("byte", 0)] ^= 0xFF
        kept.put(index, hashlib.sha256(data).digest(), data)
        return {}

    def post_snapshot(self, body):
        snapshot = self.world.store.get("snapshots", body["id"])
        snapshot["status"] = body["status"]
        self.world.store.save("snapshots", body["id"], snapshot)
        return snapshot

    def post_image(self, body):
        image = self.world.store.get("images", body["id"])
        image["state"] = body["state"]
        self.world.store.save("images", body["id"], image)
        return image

    def post_instance(self, body):
        """{"id", "protected", "standby"}: from scale-in; taken out of service, the group's size one less, or put back."""
        instance = self.world.store.get("instances", body["id"])
        group = self.world.store.get("groups", instance["group"])
        if "protected" in body:
            instance["protected"] = body["protected"]
        if "standby" in body:
            instance["lifecycle"] = "Standby" if body["standby"] else "InService"
            group["desired"] += -1 if body["standby"] else 1
            for arn in group["target_groups"]:
                if body["standby"]:
                    self.world.fleet.deregister(arn, instance["id"], time.time())
                else:
                    self.world.fleet.register(arn, instance["id"], time.time())
        self.world.store.save("groups", group["key"], group)
        self.world.fleet.save(instance)
        return instance

    def post_group(self, body):
        """{"name", "special": {...}}: members of its description that nothing here acts on, such as WarmPoolConfiguration."""
        for group in self.world.store.all("groups"):
            if group["name"] == body["name"]:
                group["special"] = body["special"]
                self.world.store.save("groups", group["key"], group)
        return {}

    def post_new_image(self, body):
        return fixtures.image(self.world, self.app.services, body)

    def post_new_balancer(self, body):
        return fixtures.balancer(self.world, self.app.services, body)

    def post_new_fleet(self, body):
        self.world.fleet.advance()
        self.world.store.hold()
        try:
            return fixtures.fleet(self.world, self.app.services, body)
        finally:
            self.world.store.release()
