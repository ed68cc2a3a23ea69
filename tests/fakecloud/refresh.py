# SPDX-License-Identifier: Apache-2.0
"""Instance refreshes of Auto Scaling (User Guide "Use an instance refresh to update instances"): replacement in steps within the healthy
limits, checkpoints, skip matching, baking, alarms, roll-back by itself or by order."""
import math
import time
import uuid

from answers import iso

RUNNING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")


class Refreshes:
    def __init__(self, world, fleet):
        self.world, self.fleet, self.store = world, fleet, world.store

    def of(self, group):
        """Newest first."""
        return sorted((r for r in self.store.all("refreshes") if r["group"] == group["key"]), key=lambda r: -r["started"])

    def running(self, group):
        key = group.get("refresh")
        refresh = self.store.get("refreshes", key) if key else None
        return refresh if refresh and refresh["status"] in RUNNING else None

    def save(self, refresh):
        self.store.save("refreshes", refresh["id"], refresh)

    def template(self, group, which):
        for template in self.store.all("templates"):
            if template["region"] == group["region"] and template["owner"] == group["owner"] and (
                    template["id"] == which.get("id") or not which.get("id") and template["name"] == which.get("name")):
                return template
        return None

    def resolve(self, group, which):
        """{id, name, number, data} of a template and version as they are now, or None."""
        template = self.template(group, which)
        if template is None:
            return None
        number = {"$Latest": template["latest"], "$Default": template["default"]}.get(which["version"], which["version"])
        version = template["versions"].get(str(number))
        if version is None:
            return None
        return {"id": template["id"], "name": template["name"], "number": version["number"], "data": version["data"]}

    def matches(self, instance, config):
        return config is not None and (instance["template"]["id"], instance["template"]["version"]) == (
            config["id"], str(config["number"]))

    def start(self, group, config, preferences, desired):
        """config: the template that new instances get. Returns the refresh."""
        refresh = {
            "id": str(uuid.uuid4()), "group": group["key"], "status": "Pending", "reason": None,
            "started": time.time(), "ended": None, "preferences": preferences, "desired": desired, "config": config,
            "original": dict(group["template"]), "total": None, "left": None, "percentage": 0, "surge": 0, "checkpoint": 0,
            "checkpoint_at": None, "bake_at": None, "progress_at": time.time(), "rollback": None, "attempts": 0,
        }
        self.save(refresh)
        group["refresh"] = refresh["id"]
        self.store.save("groups", group["key"], group)
        return refresh

    def old(self, group, refresh):
        """Instances that are still to be replaced."""
        config = self.fleet.refreshes.resolve(group, refresh["config"])
        found = []
        for instance in self.fleet.active(group):
            if refresh["status"] == "RollbackInProgress" or refresh["preferences"].get("SkipMatching"):
                replaced = self.matches(instance, config)
            else:
                replaced = instance["refresh"] == refresh["id"] and self.matches(instance, config)
            if not replaced:
                found.append(instance)
        return found

    def ready(self, group, refresh, instance, now):
        """In service, warm, and healthy for its target groups."""
        if instance["lifecycle"] != "InService" or instance["health"] != "Healthy" or instance["state"] != "running":
            return False
        warm = refresh["preferences"]["InstanceWarmup"] if instance["refresh"] == refresh["id"] else 0
        if now < instance["in_service"] + self.fleet.lasts(warm):
            return False
        return group["health_type"] != "ELB" or all(
            self.fleet.target_health(arn, instance["id"], now)[0] == "healthy" for arn in group["target_groups"])

    def tick(self, group, now):
        """Does the step; returns the refresh while instances are to be made by it, or None."""
        refresh = self.running(group)
        if refresh is None:
            return None
        before = dict(refresh)
        if refresh["status"] == "Pending":
            refresh.update({"status": "InProgress", "progress_at": now, "total": len(self.old(group, refresh))})
        if refresh["status"] in ("InProgress", "Baking") and self.alarmed(refresh):
            self.failed(group, refresh, now, "The alarm %s is in the ALARM state." % self.alarmed(refresh))
        elif refresh["status"] == "Baking":
            if now >= refresh["bake_at"] + self.fleet.lasts(refresh["preferences"]["BakeTime"]):
                self.succeed(group, refresh, now)
        elif refresh["status"] == "Cancelling":
            if not any(i["lifecycle"] == "Pending" for i in self.fleet.active(group)):
                self.end(group, refresh, now, "Cancelled", "Cancelled by user.")
        elif refresh["status"] in ("InProgress", "RollbackInProgress"):
            self.replace(group, refresh, now)
        if refresh != before:
            self.save(refresh)
        return refresh if refresh["status"] in RUNNING else None

    def alarmed(self, refresh):
        for name in refresh["preferences"].get("AlarmSpecification", {}).get("Alarms", []):
            if self.world.settings["alarms"].get(name) == "ALARM":
                return name
        return None

    def limit(self, refresh):
        """How many may be replaced until the next checkpoint."""
        marks = refresh["preferences"].get("CheckpointPercentages") or [100]
        if refresh["status"] == "RollbackInProgress":
            marks = [100]
        at = min(refresh["checkpoint"], len(marks) - 1)
        return math.ceil(refresh["total"] * marks[at] / 100), at == len(marks) - 1, marks[at]

    def replace(self, group, refresh, now):
        old = self.old(group, refresh)
        active = self.fleet.active(group)
        old_ids = {i["id"] for i in old}
        new = [i for i in active if i["id"] not in old_ids]
        unready = [i for i in new if not self.ready(group, refresh, i, now)]
        missing = max(0, group["desired"] - len(active))
        begun = refresh["total"] - max(0, len(old) - max(0, len(active) - group["desired"]))
        done = max(0, min(refresh["total"], begun - len(unready) - missing))
        percentage = 100 if not refresh["total"] else int(100 * done / refresh["total"])
        if done > refresh.get("best", -1):
            refresh.update({"best": done, "progress_at": now})
        refresh.update({"percentage": percentage, "left": refresh["total"] - done})
        limit, last, mark = self.limit(refresh)
        if done >= limit and not unready and not missing and len(active) <= group["desired"]:
            refresh["surge"] = 0
            self.reached(group, refresh, now, last, mark)
            return
        stuck = self.fleet.lasts(self.world.settings["refresh_stuck_s"] + refresh["preferences"]["InstanceWarmup"])
        if now > refresh["progress_at"] + stuck:
            self.failed(group, refresh, now, "The instance refresh made no progress: instances failed to launch or failed their health checks.")
            return
        self.swap(group, refresh, now, old, new, unready, limit - begun)

    def swap(self, group, refresh, now, old, new, unready, allowed):
        """Ends old instances, or first makes more than are wanted, as far as the limits allow. allowed: how many more may begin."""
        size, preferences = group["desired"], refresh["preferences"]
        healthy = sum(1 for i in old + new if self.ready(group, refresh, i, now))
        least = math.ceil(size * preferences["MinHealthyPercentage"] / 100)
        most = math.floor(size * preferences["MaxHealthyPercentage"] / 100)
        reason = "At %s an instance was taken out of service in response to an instance refresh." % iso(now)
        old = sorted(old, key=lambda i: (i["health"] == "Healthy" and i["lifecycle"] == "InService", i["launched"]))
        if preferences["MaxHealthyPercentage"] > 100:
            room = max(most, size + 1) - size
            over = len(old) + len(new) - size
            # A new one that is ready lets an old one go.
            for instance in old[:max(0, min(over - len(unready), len(old)))]:
                self.fleet.terminate(group, instance, now, reason)
                over -= 1
            refresh["surge"] = max(0, min(room, over + max(0, allowed)))
            return
        refresh["surge"] = 0
        can = healthy - least
        if least >= size and healthy >= size:
            can = 1
        elif can < 1 and healthy >= size:
            can = 1
        for instance in old[:max(0, min(can, allowed))]:
            self.fleet.terminate(group, instance, now, reason)

    def reached(self, group, refresh, now, last, mark):
        """All that may be replaced up to this checkpoint is."""
        if refresh["status"] == "RollbackInProgress":
            self.end(group, refresh, now, "RollbackSuccessful", refresh["reason"])
        elif not last:
            if refresh["checkpoint_at"] is None:
                refresh["checkpoint_at"] = now
            refresh["progress_at"] = now
            if now >= refresh["checkpoint_at"] + self.fleet.lasts(refresh["preferences"]["CheckpointDelay"]):
                refresh.update({"checkpoint": refresh["checkpoint"] + 1, "checkpoint_at": None, "reason": None})
            else:
                refresh["reason"] = "Reached the checkpoint of %d%%; waiting until %s." % (
                    mark, iso(refresh["checkpoint_at"] + self.fleet.lasts(refresh["preferences"]["CheckpointDelay"])))
        elif refresh["preferences"].get("BakeTime"):
            refresh.update({"status": "Baking", "bake_at": now, "reason": None})
        else:
            self.succeed(group, refresh, now)

    def succeed(self, group, refresh, now):
        # Only now the group has the new configuration.
        if refresh["desired"]:
            group["template"] = dict(refresh["config"])
        self.end(group, refresh, now, "Successful", None)

    def failed(self, group, refresh, now, why):
        if refresh["status"] == "RollbackInProgress":
            self.end(group, refresh, now, "RollbackFailed", why)
        elif refresh["preferences"].get("AutoRollback"):
            self.roll_back(group, refresh, now, why)
        else:
            self.end(group, refresh, now, "Failed", why)

    def roll_back(self, group, refresh, now, why):
        refresh["rollback"] = {"reason": why, "started": now, "percentage": refresh["percentage"], "left": refresh["left"] or 0}
        refresh.update({"status": "RollbackInProgress", "config": dict(refresh["original"]), "reason": why, "surge": 0, "best": -1,
                        "checkpoint_at": None, "progress_at": now})
        refresh["total"] = len(self.old(group, refresh))
        self.save(refresh)

    def end(self, group, refresh, now, status, reason):
        refresh.update({"status": status, "reason": reason, "ended": now, "surge": 0})
        if status in ("Successful", "RollbackSuccessful"):
            refresh.update({"percentage": 100, "left": 0})
        group["refresh"] = None
        self.store.save("groups", group["key"], group)
        self.save(refresh)
