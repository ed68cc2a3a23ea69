# SPDX-License-Identifier: Apache-2.0
"""Auto Scaling groups over time: launches, health, terminations, replacement. Refreshes are in refresh.py.

Nothing runs by itself: whoever asks calls advance(), which does in steps of asg_tick_s all that has happened since the last question. All
durations are seconds of the cloud, scaled by the setting "scale"; all times are real ones.

How an image behaves: the setting "images", by id, by name, or "*": {"healthy_after_s": 15, "never": true, "reason", "description",
"crash_after_s": N, "crash_for_s": M, "launch_fails": true, "console": "..."}.
"""
import collections
import secrets
import time

import ec2_instances
from answers import iso
from refresh import Refreshes
from store import new_id

ACTIVE = ("Pending", "InService")


class Fleet:
    def __init__(self, world):
        self.world = world
        self.store = world.store
        self.machines = world.machines
        self.refreshes = Refreshes(world, self)
        self.last = time.time()
        self.members = {}
        for instance in self.store.all("instances"):
            if instance["group"] and instance["lifecycle"] != "Terminated":
                self.members.setdefault(instance["group"], {})[instance["id"]] = instance

    def lasts(self, seconds):
        return seconds * self.world.settings["scale"]

    def advance(self):
        with self.world.lock:
            self.store.hold()
            try:
                self.advance_to(time.time(), max(0.001, self.lasts(self.world.settings["asg_tick_s"])))
            finally:
                self.store.release()

    def advance_to(self, now, step):
        groups = self.store.all("groups")
        while self.last + step <= now:
            self.last += step
            moving = False
            for group in groups:
                moving |= self.tick(group, self.last)
            if not moving and self.last + step <= now:
                # Nothing is under way: one look at how things are now.
                self.last = now - (now - self.last) % step
                for group in groups:
                    self.tick(group, self.last)

    def of(self, group):
        return list(self.members.get(group["key"], {}).values())

    def active(self, group):
        return [i for i in self.of(group) if i["lifecycle"] in ACTIVE]

    def save(self, instance):
        self.store.save("instances", instance["id"], instance)

    def behaviour(self, image_id):
        images, image = self.world.settings["images"], self.store.get("images", image_id) or {}
        for name in (image_id, image.get("name"), "*"):
            if name in images:
                return images[name]
        return {}

    # One step of a group
    def tick(self, group, now):
        """True when something is under way."""
        moving = False
        for instance in self.of(group):
            moving |= self.step(group, instance, now)
        refreshing = self.refreshes.tick(group, now)
        moving |= self.balance(group, now, refreshing)
        if group.get("deleting") and not self.of(group):
            self.store.delete("groups", group["key"])
            self.store.delete("activities", group["key"])
            return False
        return moving or refreshing is not None

    def step(self, group, instance, now):
        settings, life = self.world.settings, instance["lifecycle"]
        if life == "Pending":
            if instance["state"] != "pending":
                self.end_activity(group, instance, now, "Failed", "Instance became unhealthy while waiting for instance to be in InService "
                                  "state. Termination Reason: Client.UserInitiatedShutdown: User initiated shutdown")
                self.gone(group, instance, now)
                return True
            if now >= instance["launched"] + self.lasts(settings["instance_launch_s"]) and not self.machines.is_awaited(instance):
                self.in_service(group, instance, now)
            return True
        if life == "Terminating":
            drain = settings["drain_s"] if instance["drains"] else 0
            if instance["state"] == "running" and now >= instance["ending"] + self.lasts(drain):
                instance["state"] = "shutting-down"
                self.save(instance)
            if now >= instance["ending"] + self.lasts(drain + settings["instance_terminate_s"]) and not self.machines.runs(instance["id"]):
                self.gone(group, instance, now)
            return True
        behaves = self.behaviour(instance["image"])
        reason = self.unhealthy(group, instance, now)
        if reason and "HealthCheck" not in group["suspended"]:
            instance["health"] = "Unhealthy"
            if "ReplaceUnhealthy" in group["suspended"]:
                self.save(instance)
                return True
            self.terminate(group, instance, now, "At %s an instance was taken out of service in response to %s." % (
                iso(now), reason))
            return True
        settled = instance["in_service"] + self.lasts(settings["health_check_s"] + behaves.get("healthy_after_s", 15)
                                                      + group["grace"] + 600)
        return "crash_after_s" in behaves or now < settled or bool(behaves.get("never"))

    def in_service(self, group, instance, now):
        if self.behaviour(instance["image"]).get("launch_fails"):
            instance["reason"] = {"code": "Client.InternalError", "message": "Client.InternalError: Client error on launch"}
            self.end_activity(group, instance, now, "Failed", "Instance became unhealthy while waiting for instance to be in InService "
                              "state. Termination Reason: Client.InternalError: Client error on launch")
            group["retry_at"] = now + self.lasts(60)
            self.gone(group, instance, now)
            return
        instance.update({"lifecycle": "InService", "state": "running", "in_service": now})
        for arn in group["target_groups"]:
            self.register(arn, instance["id"], now)
        self.save(instance)
        self.end_activity(group, instance, now, "Successful")

    def unhealthy(self, group, instance, now):
        """Why the group's health check fails, or None."""
        if instance["health"] == "Unhealthy":
            return "a user health-check"
        if instance["state"] != "running":
            return "an EC2 health check indicating it has been terminated or stopped"
        if group["health_type"] == "ELB" and now >= instance["in_service"] + self.lasts(group["grace"]):
            for arn in group["target_groups"]:
                if self.target_health(arn, instance["id"], now)[0] == "unhealthy":
                    return "an ELB system health check failure"
        return None

    # Targets
    def register(self, arn, instance_id, now, port=None):
        group = self.store.get("target-groups", arn)
        if group is not None:
            group["targets"][instance_id] = {"since": now, "port": port or group["port"], "draining": None}
            self.store.save("target-groups", arn, group)

    def deregister(self, arn, instance_id, now):
        group = self.store.get("target-groups", arn)
        if group is not None and instance_id in group["targets"]:
            group["targets"][instance_id]["draining"] = now
            self.store.save("target-groups", arn, group)

    def drop_drained(self, arn, now):
        """A target that has drained is not in its group any more."""
        group = self.store.get("target-groups", arn)
        done = [i for i, t in group["targets"].items() if t["draining"] is not None
                and now >= t["draining"] + self.lasts(self.world.settings["drain_s"])]
        for instance_id in done:
            del group["targets"][instance_id]
        if done:
            self.store.save("target-groups", arn, group)

    def target_health(self, arn, instance_id, now):
        """(state, reason, description) of a target; reasons as ELBv2's TargetHealth lists them."""
        group = self.store.get("target-groups", arn)
        target = (group or {"targets": {}})["targets"].get(instance_id)
        if target is None:
            return "unused", "Target.NotRegistered", "Target is not registered to the target group"
        if target["draining"] is not None:
            return "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
        if not group["listeners"]:
            return ("unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer")
        instance = self.store.get("instances", instance_id)
        if instance is None or instance["state"] in ("shutting-down", "terminated", "stopped"):
            state = "stopped" if instance and instance["state"] == "stopped" else "terminated"
            return "unused", "Target.InvalidState", "Target is in the %s state" % state
        if self.machines.are_on():
            return self.machines.target_health(arn, instance_id)
        age, behaves, checks = now - target["since"], self.behaviour(instance["image"]), group["checks"]
        if age < self.lasts(self.world.settings["health_check_s"]):
            return "initial", "Elb.RegistrationInProgress", "Target registration is in progress"
        failed = ("unhealthy", behaves.get("reason", "Target.FailedHealthChecks"), behaves.get("description", "Health checks failed"))
        ready = self.lasts(self.world.settings["health_check_s"] + behaves.get("healthy_after_s", 15))
        if behaves.get("never") or age < ready:
            if age < self.lasts(self.world.settings["health_check_s"] + checks["interval"] * checks["unhealthy"]):
                return "initial", "Elb.InitialHealthChecking", "Initial health checks in progress"
            return failed
        crash = behaves.get("crash_after_s")
        if crash is not None:
            period = self.lasts(crash + behaves.get("crash_for_s", 1e9))
            if (age - ready) % period >= self.lasts(crash):
                return failed
        return "healthy", None, None

    # Keeping the size
    def balance(self, group, now, refresh):
        active = self.active(group)
        want = 0 if group.get("deleting") else group["desired"]
        surge = refresh["surge"] if refresh else 0
        if len(active) < want + surge:
            if "Launch" in group["suspended"] or now < group.get("retry_at", 0):
                return True
            for _ in range(want + surge - len(active)):
                if not self.launch(group, now, refresh):
                    break
            return True
        if len(active) > want + surge and "Terminate" not in group["suspended"] and not refresh:
            config = self.refreshes.resolve(group, group["template"])
            order = sorted(active, key=lambda i: (self.refreshes.matches(i, config), i["launched"]))
            for instance in order[:len(active) - want - surge]:
                self.terminate(group, instance, now, "At %s an instance was taken out of service in response to a difference between "
                               "desired and actual capacity, shrinking the capacity from %d to %d." % (iso(now), len(active), want))
            return True
        return False

    def capacity_left(self, region, kind, zone):
        """What the setting "capacity" says: type or zone -> how many may be there, in all."""
        limits = self.world.settings["capacity"]
        for name, member in ((kind, "type"), (zone, "zone")):
            if name in limits:
                there = sum(1 for i in self.store.all("instances") if i["region"] == region and i[member] == name
                            and i["state"] != "terminated")
                if there >= limits[name]:
                    return False
        return True

    def launch(self, group, now, refresh):
        template = refresh["config"] if refresh else group["template"]
        config = self.refreshes.resolve(group, template)
        there = collections.Counter(i["zone"] for i in self.active(group))
        zone = min(group["zones"], key=lambda z: (there[z], z))
        kind = config["data"].get("InstanceType", "t3.micro") if config else "-"
        image = self.store.get("images", config["data"].get("ImageId", "")) if config else None
        failure = None
        if config is None:
            failure = "The launch template or version does not exist."
        elif image is None or image["state"] == "deregistered" or image["region"] != group["region"]:
            failure = "The image id '[%s]' does not exist" % config["data"].get("ImageId")
        elif ec2_instances.TYPES.get(kind, (image["architecture"],))[0] != image["architecture"]:
            failure = "The architecture '%s' of the specified instance type does not match the architecture '%s' of the AMI" % (
                ec2_instances.TYPES[kind][0], image["architecture"])
        elif not self.capacity_left(group["region"], kind, zone):
            failure = ("We currently do not have sufficient %s capacity in the Availability Zone you requested (%s). Our system will be "
                       "working on provisioning additional capacity." % (kind, zone))
        cause = "At %s an instance was started in response to a difference between desired and actual capacity, increasing the " \
                "capacity from %d to %d." % (iso(now), there.total(), group["desired"])
        if failure:
            self.activity(group, now, "Launching a new EC2 instance.  Status Reason: %s Launching EC2 instance failed." % failure, cause,
                          "Failed", failure + " Launching EC2 instance failed.", now)
            group["retry_at"] = now + self.lasts(60)
            self.store.save("groups", group["key"], group)
            return False
        subnets = [s for s in group["subnets"] if ec2_instances.subnet_zone(group["region"], s) == zone]
        tags = {t["Key"]: t["Value"] for t in group["tags"] if t["PropagateAtLaunch"]}
        for specification in config["data"].get("TagSpecification", []):
            if specification.get("ResourceType") == "instance":
                tags.update((t["Key"], t.get("Value", "")) for t in specification["Tag"])
        instance = {
            "id": new_id("i"), "region": group["region"], "owner": group["owner"], "group": group["key"], "zone": zone, "type": kind,
            "image": image["id"], "template": {"id": config["id"], "name": config["name"], "version": str(config["number"])},
            "lifecycle": "Pending", "health": "Healthy", "state": "pending", "launched": now, "in_service": None, "ending": None,
            "drains": False, "protected": group.get("protects", False), "subnet": subnets[0] if subnets else "subnet-0" + zone[-1],
            "address": "10.0.0.%d" % (len(self.store.kind("instances")) % 250 + 4),
            "tags": {**tags, "aws:autoscaling:groupName": group["name"]}, "refresh": refresh["id"] if refresh else None,
        }
        self.members.setdefault(group["key"], {})[instance["id"]] = instance
        instance["activity"] = self.activity(group, now, "Launching a new EC2 instance: " + instance["id"], cause, "InProgress", None)
        self.save(instance)
        return True

    def terminate(self, group, instance, now, cause):
        """Takes it out of the target groups, drains, ends it; returns the activity."""
        if instance["lifecycle"] not in ACTIVE:
            return None
        if instance["lifecycle"] == "Pending":
            self.end_activity(group, instance, now, "Cancelled")
        instance.update({"lifecycle": "Terminating", "ending": now})
        instance["drains"] = instance["in_service"] is not None and instance["state"] == "running" and bool(group["target_groups"])
        for arn in group["target_groups"]:
            self.deregister(arn, instance["id"], now)
        status = "WaitingForELBConnectionDraining" if instance["drains"] else "InProgress"
        instance["activity"] = self.activity(group, now, "Terminating EC2 instance: " + instance["id"], cause, status, None)
        self.save(instance)
        return self.store.get("activities", group["key"])[-1]

    def gone(self, group, instance, now):
        self.end_activity(group, instance, now, "Successful")
        instance.update({"lifecycle": "Terminated", "state": "terminated", "ended": now})
        for arn in group["target_groups"]:
            target_group = self.store.get("target-groups", arn)
            if target_group is not None and target_group["targets"].pop(instance["id"], None):
                self.store.save("target-groups", arn, target_group)
        self.members[group["key"]].pop(instance["id"], None)
        self.save(instance)

    # Activities, oldest first
    def activity(self, group, now, description, cause, status, message, end=None):
        kept = self.store.get("activities", group["key"]) or []
        one = {"ActivityId": "%s-%s" % (secrets.token_hex(4), secrets.token_hex(6)), "AutoScalingGroupName": group["name"],
               "Description": description, "Cause": cause, "StartTime": now, "EndTime": end, "StatusCode": status,
               "StatusMessage": message, "Progress": 100 if end else 50,
               "Details": '{"Availability Zone":"%s"}' % group["zones"][0]}
        kept.append(one)
        self.store.save("activities", group["key"], kept[-2000:])
        return one["ActivityId"]

    def end_activity(self, group, instance, now, status, message=None):
        kept = self.store.get("activities", group["key"]) or []
        for one in reversed(kept):
            if one["ActivityId"] == instance.get("activity") and one["EndTime"] is None:
                one.update({"EndTime": now, "StatusCode": status, "StatusMessage": message, "Progress": 100})
                self.store.save("activities", group["key"], kept)
