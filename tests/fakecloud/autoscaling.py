# SPDX-License-Identifier: Apache-2.0
"""Auto Scaling (2011-01-01): what is asked of it. What happens over time is in fleet.py and refresh.py."""
import re
import time

import access
import ec2_instances
import query
from answers import ApiError, iso, query_answer

VERSION = "2011-01-01"
NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
TEMPLATE = {"LaunchTemplateId": "str", "LaunchTemplateName": "str", "Version": "str"}
MIXED = {"LaunchTemplate": {"LaunchTemplateSpecification": TEMPLATE, "Overrides": [
    {"InstanceType": "str", "WeightedCapacity": "str", "ImageId": "str", "LaunchTemplateSpecification": TEMPLATE}]},
    "InstancesDistribution": {"OnDemandAllocationStrategy": "str", "OnDemandBaseCapacity": "int", "SpotMaxPrice": "str",
                              "OnDemandPercentageAboveBaseCapacity": "int", "SpotAllocationStrategy": "str", "SpotInstancePools": "int"}}
TAGS = [{"ResourceId": "str", "ResourceType": "str", "Key!": "str", "Value": "str", "PropagateAtLaunch": "bool"}]
NAME = {"AutoScalingGroupName!": "str"}
PAGE = {"MaxRecords": "int", "NextToken": "str"}
FILTERS = {"Filters": [{"Name": "str", "Values": ["str"]}]}
GROUP = {
    "LaunchTemplate": TEMPLATE, "MixedInstancesPolicy": MIXED, "DesiredCapacity": "int", "DefaultCooldown": "int",
    "AvailabilityZones": ["str"], "VPCZoneIdentifier": "str", "HealthCheckType": "str", "HealthCheckGracePeriod": "int",
    "TerminationPolicies": ["str"], "NewInstancesProtectedFromScaleIn": "bool", "DefaultInstanceWarmup": "int",
    "MaxInstanceLifetime": "int", "CapacityRebalance": "bool",
    "InstanceMaintenancePolicy": {"MinHealthyPercentage": "int", "MaxHealthyPercentage": "int"},
}
PREFERENCES = {
    "MinHealthyPercentage": "int", "MaxHealthyPercentage": "int", "InstanceWarmup": "int", "CheckpointPercentages": ["int"],
    "CheckpointDelay": "int", "SkipMatching": "bool", "AutoRollback": "bool", "ScaleInProtectedInstances": "str",
    "StandbyInstances": "str", "AlarmSpecification": {"Alarms": ["str"]}, "BakeTime": "int"}
SHAPES = {
    "CreateAutoScalingGroup": {**NAME, **GROUP, "MinSize!": "int", "MaxSize!": "int", "TargetGroupARNs": ["str"], "Tags": TAGS},
    "UpdateAutoScalingGroup": {**NAME, **GROUP, "MinSize": "int", "MaxSize": "int"},
    "DeleteAutoScalingGroup": {**NAME, "ForceDelete": "bool"},
    "DescribeAutoScalingGroups": {"AutoScalingGroupNames": ["str"], "IncludeInstances": "bool", **PAGE, **FILTERS},
    "DescribeAutoScalingInstances": {"InstanceIds": ["str"], **PAGE},
    "SetDesiredCapacity": {**NAME, "DesiredCapacity!": "int", "HonorCooldown": "bool"},
    "SetInstanceHealth": {"InstanceId!": "str", "HealthStatus!": "str", "ShouldRespectGracePeriod": "bool"},
    "TerminateInstanceInAutoScalingGroup": {"InstanceId!": "str", "ShouldDecrementDesiredCapacity!": "bool"},
    "AttachLoadBalancerTargetGroups": {**NAME, "TargetGroupARNs!": ["str"]},
    "DetachLoadBalancerTargetGroups": {**NAME, "TargetGroupARNs!": ["str"]},
    "DescribeLoadBalancerTargetGroups": {**NAME, **PAGE},
    "CreateOrUpdateTags": {"Tags!": TAGS},
    "DeleteTags": {"Tags!": TAGS},
    "DescribeTags": {**PAGE, **FILTERS},
    "StartInstanceRefresh": {**NAME, "Strategy": "str", "Preferences": PREFERENCES,
                             "DesiredConfiguration": {"LaunchTemplate": TEMPLATE, "MixedInstancesPolicy": MIXED}},
    "DescribeInstanceRefreshes": {**NAME, "InstanceRefreshIds": ["str"], **PAGE},
    "CancelInstanceRefresh": {**NAME, "WaitForTransitioningInstances": "bool"},
    "RollbackInstanceRefresh": NAME,
    "DescribeScalingActivities": {"ActivityIds": ["str"], "AutoScalingGroupName": "str", "IncludeDeletedGroups": "bool", **PAGE,
                                  **FILTERS},
    "SuspendProcesses": {**NAME, "ScalingProcesses": ["str"]},
    "ResumeProcesses": {**NAME, "ScalingProcesses": ["str"]},
    "CreateLaunchConfiguration": {"LaunchConfigurationName!": "str", "ImageId!": "str", "InstanceType!": "str"},
    "DescribeLaunchConfigurations": {"LaunchConfigurationNames": ["str"], **PAGE},
    "DescribeLifecycleHooks": {**NAME, "LifecycleHookNames": ["str"]},
    "PutScalingPolicy": {**NAME, "PolicyName!": "str", "PolicyType": "str", "AdjustmentType": "str", "ScalingAdjustment": "int"},
    "DescribePolicies": {"AutoScalingGroupName": "str", "PolicyNames": ["str"], **PAGE},
    "DescribeScheduledActions": {"AutoScalingGroupName": "str", **PAGE},
}
PROCESSES = ["Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
             "ReplaceUnhealthy", "ScheduledActions"]


def wrong(message):
    return ApiError("ValidationError", message)


class Service:
    def __init__(self, world):
        self.world, self.fleet = world, world.fleet

    def answer(self, request, caller):
        action, parameters = query.parse(query.fields(request), SHAPES, VERSION, True)
        with self.world.lock:
            self.fleet.advance()
            result = getattr(self, action)(caller, parameters)
            self.fleet.advance()
            return query_answer(action, result, NAMESPACE)

    # Finding things
    def key(self, caller, name):
        return "%s/%s/%s" % (caller.account, caller.region, name)

    def allow(self, caller, action, group=None):
        arn, tags = "*", None
        if group is not None:
            arn, tags = self.arn(group), {t["Key"]: t["Value"] for t in group["tags"]}
        access.authorize(caller, "autoscaling:" + action, arn, tags)

    def arn(self, group):
        return self.world.arn("autoscaling", group["region"], group["owner"], "autoScalingGroup:%s:autoScalingGroupName/%s" % (
            group["uuid"], group["name"]))

    def find(self, caller, name, action):
        group = self.world.store.get("groups", self.key(caller, name))
        if group is None:
            self.allow(caller, action)
            raise wrong("AutoScalingGroup name not found - AutoScalingGroup '%s' not found" % name)
        self.allow(caller, action, group)
        return group

    def member(self, caller, instance_id, action):
        """(instance, group) of an instance that a group holds."""
        instance = self.world.store.get("instances", instance_id)
        if instance is None or instance["region"] != caller.region or instance["lifecycle"] == "Terminated":
            raise wrong("Instance Id not found - No managed instance found for instance ID: %s" % instance_id)
        group = self.world.store.get("groups", instance["group"])
        self.allow(caller, action, group)
        return instance, group

    def save(self, group):
        self.world.store.save("groups", group["key"], group)

    def page(self, rows, parameters, most=100, default=50):
        limit, start = parameters.get("MaxRecords", default), parameters.get("NextToken", "0")
        if not start.isdigit():
            raise ApiError("InvalidNextToken", "The NextToken value is not valid.")
        if not 1 <= limit <= most:
            raise wrong("MaxRecords is 1 to %d" % most)
        at = int(start)
        return rows[at:at + limit], str(at + limit) if len(rows) > at + limit else None

    # Templates
    def template(self, caller, which, what="LaunchTemplate"):
        """As it is kept: {id, name, version}; it must exist, with its image."""
        if ("LaunchTemplateId" in which) == ("LaunchTemplateName" in which):
            raise wrong("Valid requests must contain either launchTemplateId or LaunchTemplateName")
        kept = {"id": which.get("LaunchTemplateId"), "name": which.get("LaunchTemplateName"), "version": which.get("Version", "$Default")}
        place = {"region": caller.region, "owner": caller.account}
        config = self.fleet.refreshes.resolve(place, kept)
        if config is None:
            raise wrong("You must use a valid fully-formed launch template. The specified %s or version %s does not exist." % (
                what, kept["version"]))
        image = self.world.store.get("images", config["data"].get("ImageId", ""))
        if image is None or image["region"] != caller.region or image["state"] == "deregistered":
            raise wrong("You must use a valid fully-formed launch template. The image id '[%s]' does not exist"
                        % config["data"].get("ImageId"))
        # The service tries the template with the caller's own rights (User Guide, "Launch template support").
        try:
            access.authorize(caller, "ec2:RunInstances", self.world.arn("ec2", caller.region, caller.account, "instance/*"))
        except ApiError:
            raise ApiError("AccessDenied", "You are not authorized to use launch template: %s" % config["id"], 403) from None
        kept.update({"id": config["id"], "name": config["name"]})
        return kept

    def shown(self, template):
        return {"LaunchTemplateId": template["id"], "LaunchTemplateName": template["name"], "Version": str(template["version"])}

    # Groups
    def common(self, caller, group, parameters):
        """What Create and Update share."""
        if "MixedInstancesPolicy" in parameters:
            policy = parameters["MixedInstancesPolicy"]
            group["template"] = self.template(caller, policy.get("LaunchTemplate", {}).get("LaunchTemplateSpecification", {}))
            group["mixed"] = policy
        elif "LaunchTemplate" in parameters:
            group["template"], group["mixed"] = self.template(caller, parameters["LaunchTemplate"]), None
        names = {"MinSize": "min", "MaxSize": "max", "DesiredCapacity": "desired", "HealthCheckType": "health_type",
                 "HealthCheckGracePeriod": "grace", "DefaultInstanceWarmup": "warmup", "DefaultCooldown": "cooldown",
                 "TerminationPolicies": "policies", "MaxInstanceLifetime": "lifetime", "InstanceMaintenancePolicy": "maintenance",
                 "NewInstancesProtectedFromScaleIn": "protects"}
        for name, member in names.items():
            if name in parameters:
                group[member] = parameters[name]
        if group["health_type"] not in ("EC2", "ELB", "EBS,EC2", "EC2,ELB"):
            raise wrong("HealthCheckType '%s'" % group["health_type"])
        if parameters.get("VPCZoneIdentifier"):
            group["subnets"] = parameters["VPCZoneIdentifier"].replace(" ", "").split(",")
            group["zones"] = sorted({ec2_instances.subnet_zone(caller.region, s) for s in group["subnets"]}, key=str)
            if None in group["zones"]:
                raise wrong("The subnet ID '%s' does not exist" % parameters["VPCZoneIdentifier"])
        elif parameters.get("AvailabilityZones"):
            group["zones"] = sorted(parameters["AvailabilityZones"])
        if not group["zones"]:
            raise wrong("At least one Availability Zone or VPC Subnet is required.")
        for zone in group["zones"]:
            if zone not in ec2_instances.zones(caller.region):
                raise wrong("Invalid availability zone %s" % zone)
        if not 0 <= group["min"] <= group["desired"] <= group["max"]:
            raise wrong("Desired capacity %d is not between the min size %d and the max size %d" % (
                group["desired"], group["min"], group["max"]))

    def CreateAutoScalingGroup(self, caller, parameters):
        name = parameters["AutoScalingGroupName"]
        access.authorize(caller, "autoscaling:CreateAutoScalingGroup", self.world.arn(
            "autoscaling", caller.region, caller.account, "autoScalingGroup:*:autoScalingGroupName/" + name))
        if not re.fullmatch(r"[ -9;-~]{1,255}", name):
            raise wrong("the name '%s' is not valid" % name)
        if self.world.store.get("groups", self.key(caller, name)) is not None:
            raise ApiError("AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name %s already exists" % name)
        if "LaunchTemplate" not in parameters and "MixedInstancesPolicy" not in parameters:
            raise wrong("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy")
        self.target_groups(caller, parameters.get("TargetGroupARNs", []))
        group = {
            "key": self.key(caller, name), "name": name, "region": caller.region, "owner": caller.account, "created": time.time(),
            "uuid": "0fake000-%d" % (len(self.world.store.kind("groups")) + 1), "min": 0, "max": 0,
            "desired": parameters.get("DesiredCapacity", parameters["MinSize"]), "health_type": "EC2", "grace": 0, "warmup": None,
            "cooldown": 300, "policies": ["Default"], "subnets": [], "zones": [], "target_groups": list(parameters.get("TargetGroupARNs", [])),
            "tags": [], "suspended": [], "mixed": None, "refresh": None,
        }
        self.common(caller, group, parameters)
        group["tags"] = self.merged([], parameters.get("Tags", []))
        self.save(group)

    def UpdateAutoScalingGroup(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "UpdateAutoScalingGroup")
        if self.fleet.refreshes.running(group) and ("LaunchTemplate" in parameters or "MixedInstancesPolicy" in parameters) and \
                self.fleet.refreshes.running(group)["desired"]:
            raise wrong("An active instance refresh with a desired configuration exists. All configuration options derived from the "
                        "desired configuration are not available for update while the instance refresh is active.")
        changed = dict(group)
        # A size that is not said follows the limits, as the service moves it.
        low, high = parameters.get("MinSize", group["min"]), parameters.get("MaxSize", group["max"])
        changed["desired"] = max(low, min(high, group["desired"]))
        self.common(caller, changed, parameters)
        group.update(changed)
        self.save(group)

    def DeleteAutoScalingGroup(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "DeleteAutoScalingGroup")
        if not parameters.get("ForceDelete"):
            if self.fleet.of(group):
                raise ApiError("ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot "
                               "instance request(s) still in the group.")
        group.update({"deleting": True, "min": 0, "desired": 0})
        refresh = self.fleet.refreshes.running(group)
        if refresh:
            self.fleet.refreshes.end(group, refresh, time.time(), "Cancelled", "The group is being deleted.")
        if self.fleet.of(group):
            self.save(group)
        else:
            self.world.store.delete("groups", group["key"])

    def instance_row(self, instance):
        return {"InstanceId": instance["id"], "InstanceType": instance["type"], "AvailabilityZone": instance["zone"],
                "LifecycleState": "Terminating" if instance["lifecycle"] == "Terminating" else instance["lifecycle"],
                "HealthStatus": instance["health"], "LaunchTemplate": self.shown(instance["template"]),
                "ProtectedFromScaleIn": instance["protected"]}

    def group_row(self, group):
        instances = sorted(self.fleet.of(group), key=lambda i: (i["launched"], i["id"]))
        row = {
            "AutoScalingGroupName": group["name"], "AutoScalingGroupARN": self.arn(group), "MinSize": group["min"],
            "MaxSize": group["max"], "DesiredCapacity": group["desired"], "DefaultCooldown": group["cooldown"],
            "AvailabilityZones": group["zones"], "LoadBalancerNames": [], "TargetGroupARNs": group["target_groups"],
            "HealthCheckType": group["health_type"], "HealthCheckGracePeriod": group["grace"],
            "Instances": [self.instance_row(i) for i in instances], "CreatedTime": iso(group["created"]),
            "SuspendedProcesses": [{"ProcessName": p, "SuspensionReason": "User suspended"} for p in group["suspended"]],
            "VPCZoneIdentifier": ",".join(group["subnets"]), "EnabledMetrics": [],
            "Tags": [{**t, "ResourceId": group["name"]} for t in group["tags"]],
            "TerminationPolicies": group["policies"], "NewInstancesProtectedFromScaleIn": group.get("protects", False),
            "ServiceLinkedRoleARN": "arn:aws:iam::%s:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
                                    % group["owner"],
            "DefaultInstanceWarmup": group["warmup"], "MaxInstanceLifetime": group.get("lifetime"),
            "InstanceMaintenancePolicy": group.get("maintenance"), "Status": "Delete in progress" if group.get("deleting") else None,
        }
        if group["mixed"]:
            policy = dict(group["mixed"])
            policy["LaunchTemplate"] = {**policy.get("LaunchTemplate", {}), "LaunchTemplateSpecification": self.shown(group["template"])}
            row["MixedInstancesPolicy"] = policy
        else:
            row["LaunchTemplate"] = self.shown(group["template"])
        return {**row, **group.get("special", {})}

    def DescribeAutoScalingGroups(self, caller, parameters):
        self.allow(caller, "DescribeAutoScalingGroups")
        rows = [g for g in self.world.store.all("groups") if g["region"] == caller.region and g["owner"] == caller.account]
        if parameters.get("AutoScalingGroupNames"):
            rows = [g for g in rows if g["name"] in parameters["AutoScalingGroupNames"]]
        for one in parameters.get("Filters", []):
            name, values = one.get("Name", ""), one.get("Values", [])
            if name == "tag-key":
                rows = [g for g in rows if any(t["Key"] in values for t in g["tags"])]
            elif name.startswith("tag:"):
                rows = [g for g in rows if any(t["Key"] == name[4:] and t["Value"] in values for t in g["tags"])]
            else:
                raise wrong("Filter '%s' is not valid" % name)
        page, token = self.page(sorted(rows, key=lambda g: g["name"]), parameters)
        return {"AutoScalingGroups": [self.group_row(g) for g in page], "NextToken": token}

    # What groups had before launch templates; kept for what still refers to images by them.
    def CreateLaunchConfiguration(self, caller, parameters):
        self.allow(caller, "CreateLaunchConfiguration")
        key = self.key(caller, parameters["LaunchConfigurationName"])
        if self.world.store.get("launch-configurations", key):
            raise ApiError("AlreadyExists", "Launch Configuration by this name already exists")
        self.world.store.save("launch-configurations", key, {**parameters, "region": caller.region, "owner": caller.account})
        return {}

    def DescribeLaunchConfigurations(self, caller, parameters):
        self.allow(caller, "DescribeLaunchConfigurations")
        names = parameters.get("LaunchConfigurationNames")
        rows = [c for c in self.world.store.all("launch-configurations") if c["region"] == caller.region
                and c["owner"] == caller.account and (not names or c["LaunchConfigurationName"] in names)]
        page, token = self.page(sorted(rows, key=lambda c: c["LaunchConfigurationName"]), parameters)
        return {"LaunchConfigurations": [{k: c[k] for k in ("LaunchConfigurationName", "ImageId", "InstanceType")}
                                         for c in page], "NextToken": token}

    def DescribeAutoScalingInstances(self, caller, parameters):
        self.allow(caller, "DescribeAutoScalingInstances")
        rows = []
        for group in self.world.store.all("groups"):
            if group["region"] == caller.region and group["owner"] == caller.account:
                rows += [{**self.instance_row(i), "AutoScalingGroupName": group["name"],
                          "HealthStatus": i["health"].upper()} for i in self.fleet.of(group)]
        if parameters.get("InstanceIds"):
            rows = [r for r in rows if r["InstanceId"] in parameters["InstanceIds"]]
        page, token = self.page(rows, parameters, 50)
        return {"AutoScalingInstances": page, "NextToken": token}

    def SetDesiredCapacity(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "SetDesiredCapacity")
        if not group["min"] <= parameters["DesiredCapacity"] <= group["max"]:
            raise wrong("New SetDesiredCapacity value %d is not between the min size %d and the max size %d" % (
                parameters["DesiredCapacity"], group["min"], group["max"]))
        group["desired"] = parameters["DesiredCapacity"]
        self.save(group)

    def SetInstanceHealth(self, caller, parameters):
        instance, group = self.member(caller, parameters["InstanceId"], "SetInstanceHealth")
        if parameters["HealthStatus"] not in ("Healthy", "Unhealthy"):
            raise wrong("HealthStatus is Healthy or Unhealthy")
        young = instance["in_service"] is None or time.time() < instance["in_service"] + self.fleet.lasts(group["grace"])
        if parameters.get("ShouldRespectGracePeriod", True) and young and parameters["HealthStatus"] == "Unhealthy":
            return
        instance["health"] = parameters["HealthStatus"]
        self.fleet.save(instance)

    def TerminateInstanceInAutoScalingGroup(self, caller, parameters):
        instance, group = self.member(caller, parameters["InstanceId"], "TerminateInstanceInAutoScalingGroup")
        now = time.time()
        if parameters["ShouldDecrementDesiredCapacity"]:
            if group["desired"] - 1 < group["min"]:
                raise wrong("Currently, desiredSize equals minSize (%d). Terminating instance without replacement will violate group's "
                            "min size constraint." % group["min"])
            group["desired"] -= 1
            self.save(group)
        activity = self.fleet.terminate(group, instance, now, "At %s instance %s was taken out of service in response to a user request."
                                        % (iso(now), instance["id"]))
        if activity is None:
            raise ApiError("ScalingActivityInProgress", "The instance is already being terminated")
        return {"Activity": self.activity_row(activity)}

    # Target groups and tags
    def target_groups(self, caller, arns):
        for arn in arns:
            group = self.world.store.get("target-groups", arn)
            if group is None or group["region"] != caller.region:
                raise wrong("Provided Target Groups may not be valid. Please ensure they exist and try again.")

    def AttachLoadBalancerTargetGroups(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "AttachLoadBalancerTargetGroups")
        self.target_groups(caller, parameters["TargetGroupARNs"])
        for arn in parameters["TargetGroupARNs"]:
            if arn not in group["target_groups"]:
                group["target_groups"].append(arn)
                for instance in self.fleet.of(group):
                    if instance["lifecycle"] == "InService":
                        self.fleet.register(arn, instance["id"], time.time())
        self.save(group)
        return {}

    def DetachLoadBalancerTargetGroups(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "DetachLoadBalancerTargetGroups")
        for arn in parameters["TargetGroupARNs"]:
            if arn not in group["target_groups"]:
                raise wrong("The target group %s is not attached" % arn)
            group["target_groups"].remove(arn)
            for instance in self.fleet.of(group):
                self.fleet.deregister(arn, instance["id"], time.time())
        self.save(group)
        return {}

    def DescribeLoadBalancerTargetGroups(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "DescribeLoadBalancerTargetGroups")
        rows = []
        for arn in group["target_groups"]:
            states = [self.fleet.target_health(arn, i["id"], time.time())[0] for i in self.fleet.active(group)]
            rows.append({"LoadBalancerTargetGroupARN": arn, "State": "InService" if "healthy" in states else "Added"})
        page, token = self.page(rows, parameters)
        return {"LoadBalancerTargetGroups": page, "NextToken": token}

    def merged(self, have, new):
        tags = {t["Key"]: t for t in have}
        for tag in new:
            if not 1 <= len(tag["Key"]) <= 128 or len(tag.get("Value", "")) > 256 or tag["Key"].startswith("aws:"):
                raise wrong("the tag '%s' is too long or reserved" % tag["Key"][:40])
            if tag.get("ResourceType", "auto-scaling-group") != "auto-scaling-group":
                raise wrong("ResourceType '%s'" % tag["ResourceType"])
            tags[tag["Key"]] = {"Key": tag["Key"], "Value": tag.get("Value", ""), "PropagateAtLaunch": tag.get("PropagateAtLaunch", False),
                                "ResourceType": "auto-scaling-group"}
        if len(tags) > 50:
            raise ApiError("LimitExceeded", "more than 50 tags")
        return [tags[k] for k in sorted(tags)]

    def CreateOrUpdateTags(self, caller, parameters):
        for tag in parameters["Tags"]:
            if "ResourceId" not in tag or "ResourceType" not in tag or "PropagateAtLaunch" not in tag:
                raise wrong("a tag needs ResourceId, ResourceType and PropagateAtLaunch")
            group = self.find(caller, tag["ResourceId"], "CreateOrUpdateTags")
            group["tags"] = self.merged(group["tags"], [tag])
            self.save(group)

    def DeleteTags(self, caller, parameters):
        for tag in parameters["Tags"]:
            group = self.find(caller, tag.get("ResourceId", ""), "DeleteTags")
            group["tags"] = [t for t in group["tags"] if t["Key"] != tag["Key"]]
            self.save(group)

    def DescribeTags(self, caller, parameters):
        self.allow(caller, "DescribeTags")
        rows = [{**t, "ResourceId": g["name"]} for g in self.world.store.all("groups")
                if g["region"] == caller.region and g["owner"] == caller.account for t in g["tags"]]
        fields = {"auto-scaling-group": "ResourceId", "key": "Key", "value": "Value"}
        for one in parameters.get("Filters", []):
            if one.get("Name") not in fields:
                raise wrong("Filter '%s' is not valid" % one.get("Name"))
            rows = [r for r in rows if r[fields[one["Name"]]] in one.get("Values", [])]
        page, token = self.page(rows, parameters)
        return {"Tags": page, "NextToken": token}

    # Activities and processes
    def activity_row(self, one):
        row = dict(one)
        row["StartTime"] = iso(one["StartTime"])
        row["EndTime"] = iso(one["EndTime"]) if one["EndTime"] else None
        return row

    def DescribeScalingActivities(self, caller, parameters):
        name = parameters.get("AutoScalingGroupName")
        if name is not None:
            groups = [self.find(caller, name, "DescribeScalingActivities")]
        else:
            self.allow(caller, "DescribeScalingActivities")
            groups = [g for g in self.world.store.all("groups") if g["region"] == caller.region and g["owner"] == caller.account]
        rows = [a for g in groups for a in reversed(self.world.store.get("activities", g["key"]) or [])]
        if parameters.get("ActivityIds"):
            rows = [a for a in rows if a["ActivityId"] in parameters["ActivityIds"]]
        page, token = self.page(rows, parameters, 100, 100)
        return {"Activities": [self.activity_row(a) for a in page], "NextToken": token}

    def SuspendProcesses(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "SuspendProcesses")
        wanted = parameters.get("ScalingProcesses") or PROCESSES
        for name in wanted:
            if name not in PROCESSES:
                raise wrong("'%s' is no process" % name)
        group["suspended"] = sorted(set(group["suspended"]) | set(wanted))
        self.save(group)

    def ResumeProcesses(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "ResumeProcesses")
        group["suspended"] = sorted(set(group["suspended"]) - set(parameters.get("ScalingProcesses") or PROCESSES))
        self.save(group)

    def DescribeLifecycleHooks(self, caller, parameters):
        self.find(caller, parameters["AutoScalingGroupName"], "DescribeLifecycleHooks")
        return {"LifecycleHooks": []}

    # Scaling policies and scheduled actions are kept, not carried out.
    def PutScalingPolicy(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "PutScalingPolicy")
        group["scaling_policies"] = sorted({*group.get("scaling_policies", []), parameters["PolicyName"]})
        self.save(group)
        return {"PolicyARN": self.arn(group) + ":policyName/" + parameters["PolicyName"]}

    def DescribePolicies(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "DescribePolicies")
        page, token = self.page([{"PolicyName": n, "AutoScalingGroupName": group["name"], "PolicyType": "SimpleScaling"}
                                 for n in group.get("scaling_policies", [])], parameters)
        return {"ScalingPolicies": page, "NextToken": token}

    def DescribeScheduledActions(self, caller, parameters):
        self.find(caller, parameters["AutoScalingGroupName"], "DescribeScheduledActions")
        return {"ScheduledUpdateGroupActions": [], "NextToken": None}

    # Launch configurations: what came before templates; an image may still be named by one.
    def CreateLaunchConfiguration(self, caller, parameters):
        self.allow(caller, "CreateLaunchConfiguration")
        key = self.key(caller, parameters["LaunchConfigurationName"])
        if self.world.store.get("launch-configurations", key) is not None:
            raise ApiError("AlreadyExists", "Launch Configuration by this name already exists")
        kept = {**parameters, "CreatedTime": iso(time.time()), "region": caller.region, "owner": caller.account}
        self.world.store.save("launch-configurations", key, kept)

    def DescribeLaunchConfigurations(self, caller, parameters):
        self.allow(caller, "DescribeLaunchConfigurations")
        rows = [c for c in self.world.store.all("launch-configurations") if c["region"] == caller.region and c["owner"] == caller.account
                and c["LaunchConfigurationName"] in parameters.get("LaunchConfigurationNames", [c["LaunchConfigurationName"]])]
        page, token = self.page(rows, parameters)
        return {"LaunchConfigurations": [{k: v for k, v in c.items() if k[0].isupper()} for c in page], "NextToken": token}

    # Instance refresh
    def preferences(self, caller, group, given, desired):
        """With the defaults of the service; checked."""
        maintenance = group.get("maintenance") or {}
        warmup = group["warmup"] if group["warmup"] is not None else group["grace"]
        kept = {"MinHealthyPercentage": maintenance.get("MinHealthyPercentage", 90),
                "MaxHealthyPercentage": maintenance.get("MaxHealthyPercentage", 100), "InstanceWarmup": warmup,
                "CheckpointDelay": 3600, "SkipMatching": False, "AutoRollback": False, **given}
        low, high, marks = kept["MinHealthyPercentage"], kept["MaxHealthyPercentage"], kept.get("CheckpointPercentages", [])
        if not 0 <= low <= 100 or not 100 <= high <= 200 or high - low > 100:
            raise wrong("MinHealthyPercentage is 0 to 100, MaxHealthyPercentage 100 to 200, and at most 100 more")
        if marks != sorted(set(marks)) or any(not 1 <= m <= 100 for m in marks):
            raise wrong("CheckpointPercentages are ascending numbers of 1 to 100")
        if not 0 <= kept["CheckpointDelay"] <= 172800 or not 0 <= kept.get("BakeTime", 0) <= 172800 or kept["InstanceWarmup"] < 0:
            raise wrong("CheckpointDelay and BakeTime are 0 to 172800 seconds")
        for name, words in (("ScaleInProtectedInstances", ("Refresh", "Ignore", "Wait")),
                            ("StandbyInstances", ("Terminate", "Ignore", "Wait"))):
            if kept.get(name, words[0]) not in words:
                raise wrong("%s '%s'" % (name, kept[name]))
        if (kept["AutoRollback"] or kept.get("AlarmSpecification")) and self.irreversible(group, desired):
            raise wrong("AutoRollback: " + self.irreversible(group, desired))
        for name in kept.get("AlarmSpecification", {}).get("Alarms", []):
            if name not in self.world.settings["alarms"]:
                raise wrong("The alarm %s does not exist" % name)
        return kept

    def irreversible(self, group, desired):
        if not desired:
            return "there is no desired configuration"
        if str(group["template"]["version"]).startswith("$"):
            return "the group's launch template version is %s" % group["template"]["version"]
        return None

    def StartInstanceRefresh(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "StartInstanceRefresh")
        if parameters.get("Strategy", "Rolling") != "Rolling":
            raise wrong("Strategy '%s' is not in this cloud" % parameters["Strategy"])
        if self.fleet.refreshes.running(group):
            raise ApiError("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this "
                           "Instance Refresh.")
        if group.get("deleting"):
            raise ApiError("ResourceContention", "The group is being deleted", 500)
        desired, config = parameters.get("DesiredConfiguration"), dict(group["template"])
        if desired:
            which = desired.get("LaunchTemplate") or desired.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get(
                "LaunchTemplateSpecification", {})
            if "LaunchTemplate" in desired and group["mixed"]:
                raise wrong("The group has a mixed instances policy: the desired configuration must be one as well")
            config = self.template(caller, which)
        preferences = self.preferences(caller, group, parameters.get("Preferences", {}), desired)
        refresh = self.fleet.refreshes.start(group, config, preferences, desired)
        return {"InstanceRefreshId": refresh["id"]}

    def refresh_row(self, group, refresh):
        row = {
            "InstanceRefreshId": refresh["id"], "AutoScalingGroupName": group["name"], "Status": refresh["status"],
            "StatusReason": refresh["reason"], "StartTime": iso(refresh["started"]),
            "EndTime": iso(refresh["ended"]) if refresh["ended"] else None, "Preferences": refresh["preferences"],
            "DesiredConfiguration": refresh["desired"] or None,
        }
        if refresh["total"] is not None:
            row.update({"PercentageComplete": refresh["percentage"], "InstancesToUpdate": refresh["left"] or 0})
        if refresh["rollback"]:
            back = refresh["rollback"]
            row["RollbackDetails"] = {"RollbackReason": back["reason"], "RollbackStartTime": iso(back["started"]),
                                      "PercentageCompleteOnRollback": back["percentage"], "InstancesToUpdateOnRollback": back["left"]}
        return row

    def DescribeInstanceRefreshes(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "DescribeInstanceRefreshes")
        rows = self.fleet.refreshes.of(group)
        if parameters.get("InstanceRefreshIds"):
            rows = [r for r in rows if r["id"] in parameters["InstanceRefreshIds"]]
        page, token = self.page(rows, parameters)
        return {"InstanceRefreshes": [self.refresh_row(group, r) for r in page], "NextToken": token}

    def active_refresh(self, group):
        refresh = self.fleet.refreshes.running(group)
        if refresh is None:
            raise ApiError("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found for Auto Scaling group %s"
                           % group["name"])
        return refresh

    def CancelInstanceRefresh(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "CancelInstanceRefresh")
        refresh = self.active_refresh(group)
        if refresh["status"] == "Cancelling":
            return {"InstanceRefreshId": refresh["id"]}
        refresh.update({"status": "Cancelling", "surge": 0})
        self.fleet.refreshes.save(refresh)
        return {"InstanceRefreshId": refresh["id"]}

    def RollbackInstanceRefresh(self, caller, parameters):
        group = self.find(caller, parameters["AutoScalingGroupName"], "RollbackInstanceRefresh")
        refresh = self.active_refresh(group)
        if refresh["status"] not in ("Pending", "InProgress", "Baking"):
            raise ApiError("ActiveInstanceRefreshNotFound", "The instance refresh is %s" % refresh["status"])
        why = self.irreversible(group, refresh["desired"])
        if why:
            raise ApiError("IrreversibleInstanceRefresh", "The instance refresh cannot be rolled back: " + why)
        self.fleet.refreshes.roll_back(group, refresh, time.time(), "Rollback initiated by user.")
        return {"InstanceRefreshId": refresh["id"]}
