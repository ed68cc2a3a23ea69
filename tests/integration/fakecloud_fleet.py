# SPDX-License-Identifier: Apache-2.0
"""Auto Scaling, ELBv2 and launch templates of fakecloud over time, asked by a botocore that knows roll-backs (build/oracles). Every member of
every answer must be one that AWS's model knows: a misspelt one would be dropped in silence.

fakecloud_fleet.py    CLOUD_URL and AWS's variables say where; prints "ok NAME" or "not ok NAME" for each case.
"""
import time
import xml.etree.ElementTree

from fakecloud_client import (ACCOUNT, KEY, SECRET, block, case, client, completed, control, counter, finish, refused, settings)

unknown = set()


def known(element, shape, where):
    """Every child of the element must be a member of the shape."""
    children = list(element)
    if shape.type_name == "list":
        for child in children:
            known(child, shape.member, where)
    elif shape.type_name == "structure":
        names = {s.serialization.get("name", n): s for n, s in shape.members.items()}
        for child in children:
            tag = child.tag.rpartition("}")[2]
            if tag not in names:
                unknown.add("%s.%s" % (where, tag))
            else:
                known(child, names[tag], "%s.%s" % (where, tag))
    elif children:
        unknown.add(where + " has members")


def look(http_response, model, **_):
    if http_response.status_code != 200 or model.output_shape is None or b"<" not in http_response.content[:1]:
        return
    root = xml.etree.ElementTree.fromstring(http_response.content)
    if model.service_model.metadata["protocol"] == "query":
        results = [c for c in root if c.tag.endswith("Result")]
        if not results:
            return
        root = results[0]
    for child in list(root):
        if child.tag.rpartition("}")[2] in ("requestId", "ResponseMetadata"):
            root.remove(child)
    known(root, model.output_shape, model.name)


def watched(service, **more):
    made = client(service, **more)
    made.meta.events.register("after-call.*.*", look)
    return made


asg, elb, ec2, ebs = watched("autoscaling"), watched("elbv2"), watched("ec2"), client("ebs")
serial = iter(range(1000))
# A refresh with these is not over before somebody has looked.
STAYS = {"CheckpointPercentages": [33, 100], "CheckpointDelay": 30000}


class Fleet:
    """A group of its own that runs image 1; image 2 is in version 2 of its template."""

    def __init__(self, size=3, behaves=None, version="1", scale=0.002, **more):
        settings(scale=scale)
        self.name = "fleet-%d" % next(serial)
        made = control("POST", "new-fleet", {"group": self.name, "size": size, "version": version, **more})
        self.template, self.target, self.image = made["template"], made["target_group"], made["image"]
        self.next = control("POST", "new-image", {"name": self.name + "-next"})["image"]
        if behaves:
            settings(images={self.next: behaves})
        ec2.create_launch_template_version(LaunchTemplateId=self.template, SourceVersion="1", LaunchTemplateData={"ImageId": self.next})

    def start(self, desired="2", **preferences):
        where = {"DesiredConfiguration": {"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": desired}}} if desired else {}
        return asg.start_instance_refresh(AutoScalingGroupName=self.name, Preferences=preferences, **where)["InstanceRefreshId"]

    def group(self):
        return asg.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"][0]

    def refresh(self):
        return asg.describe_instance_refreshes(AutoScalingGroupName=self.name)["InstanceRefreshes"][0]

    def health(self):
        rows = elb.describe_target_health(TargetGroupArn=self.target)["TargetHealthDescriptions"]
        return sorted((r["TargetHealth"]["State"], r["TargetHealth"].get("Reason", "")) for r in rows)

    def versions(self):
        return sorted(i["LaunchTemplate"]["Version"] for i in self.group()["Instances"] if i["LifecycleState"] == "InService")

    def until(self, *statuses):
        """Follows the refresh; returns (it, the lowest count of healthy targets, all statuses seen)."""
        low, seen, end = 1 << 30, [], time.monotonic() + 120
        while time.monotonic() < end:
            refresh = self.refresh()
            low = min(low, [s for s, _ in self.health()].count("healthy"))
            if refresh["Status"] not in seen:
                seen.append(refresh["Status"])
            if refresh["Status"] in statuses:
                return refresh, low, seen
            time.sleep(0.01)
        raise AssertionError("the refresh stays %s" % refresh)

    def wait(self, what, limit=60):
        end = time.monotonic() + limit
        while not what():
            assert time.monotonic() < end, "it never came: %s %s" % (self.group()["Instances"], self.health())
            time.sleep(0.01)


@case
def rolling():
    """a refresh replaces one by one within MinHealthyPercentage; the group has the new version only when it is done."""
    fleet = Fleet()
    assert fleet.health() == [("healthy", "")] * 3 and fleet.versions() == ["1"] * 3
    settings(instance_launch_s=500)  # long enough to see that one is missing
    fleet.start(MinHealthyPercentage=66, InstanceWarmup=30)
    assert fleet.group()["LaunchTemplate"]["Version"] == "1"
    refresh, low, seen = fleet.until("Successful")
    settings(instance_launch_s=None)
    assert low == 2 and refresh["PercentageComplete"] == 100 and refresh["InstancesToUpdate"] == 0, (low, refresh)
    assert fleet.versions() == ["2"] * 3 and fleet.group()["LaunchTemplate"]["Version"] == "2" and "InProgress" in seen
    running = ec2.describe_instances(Filters=[{"Name": "tag:aws:autoscaling:groupName", "Values": [fleet.name]},
                                              {"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    assert [r["Instances"][0]["ImageId"] for r in running] == [fleet.next] * 3


@case
def launch_first():
    """MaxHealthyPercentage above 100 launches first: never fewer than all are healthy; checkpoints wait; then it bakes."""
    fleet = Fleet()
    fleet.start(MinHealthyPercentage=100, MaxHealthyPercentage=150, InstanceWarmup=30, CheckpointPercentages=[33, 100], CheckpointDelay=1000,
                BakeTime=1000, SkipMatching=True)
    fleet.wait(lambda: "checkpoint of 33%" in fleet.refresh().get("StatusReason", ""))
    assert fleet.versions() == ["1", "1", "2"] and fleet.refresh()["PercentageComplete"] == 33
    _, low, seen = fleet.until("Successful")
    assert low == 3 and "Baking" in seen, (low, seen)
    fleet.start(SkipMatching=True)
    assert fleet.until("Successful")[0]["InstancesToUpdate"] == 0
    activities = asg.describe_scaling_activities(AutoScalingGroupName=fleet.name)["Activities"]
    assert any("instance refresh" in a["Cause"] for a in activities) and activities[0]["StartTime"] >= activities[-1]["StartTime"]


@case
def never_healthy():
    """an image that never becomes healthy is replaced again and again, until the refresh fails; with AutoRollback it goes back."""
    settings(refresh_stuck_s=400)
    fleet = Fleet(behaves={"never": True, "reason": "Target.Timeout", "description": "Request timed out"})
    fleet.start(MinHealthyPercentage=100, MaxHealthyPercentage=150, InstanceWarmup=30, AutoRollback=True)
    fleet.wait(lambda: ("unhealthy", "Target.Timeout") in fleet.health())
    refresh, low, seen = fleet.until("RollbackSuccessful")
    assert low == 3 and fleet.versions() == ["1"] * 3, (low, seen)
    assert fleet.group()["LaunchTemplate"]["Version"] == "1" and refresh["RollbackDetails"]["PercentageCompleteOnRollback"] == 0
    settings(refresh_stuck_s=200)
    fleet.start(MinHealthyPercentage=66, InstanceWarmup=0)
    assert fleet.until("Failed")[0]["StatusReason"]


@case
def roll_back():
    """RollbackInstanceRefresh brings the old version back; not without a desired configuration or with $Latest."""
    fleet = Fleet()
    fleet.start(MinHealthyPercentage=66, InstanceWarmup=30, **STAYS)
    fleet.wait(lambda: "2" in fleet.versions())
    asg.rollback_instance_refresh(AutoScalingGroupName=fleet.name)
    refresh, _, _ = fleet.until("RollbackSuccessful")
    assert fleet.versions() == ["1"] * 3 and "user" in refresh["RollbackDetails"]["RollbackReason"]
    refused("ActiveInstanceRefreshNotFound", asg.rollback_instance_refresh, AutoScalingGroupName=fleet.name)
    refused("ActiveInstanceRefreshNotFound", asg.cancel_instance_refresh, AutoScalingGroupName=fleet.name)
    fleet.start(desired=None)
    refused("IrreversibleInstanceRefresh", asg.rollback_instance_refresh, AutoScalingGroupName=fleet.name)
    refused("InstanceRefreshInProgress", fleet.start)
    asg.cancel_instance_refresh(AutoScalingGroupName=fleet.name)
    fleet.until("Cancelled")
    latest = Fleet(version="$Latest")
    refused("ValidationError", latest.start, AutoRollback=True)
    latest.start()
    refused("IrreversibleInstanceRefresh", asg.rollback_instance_refresh, AutoScalingGroupName=latest.name)


@case
def alarms():
    """an alarm of the specification rolls back; one that does not exist is refused."""
    fleet = Fleet()
    refused("ValidationError", fleet.start, AlarmSpecification={"Alarms": ["errors"]}, AutoRollback=True)
    settings(alarms={"errors": "OK"})
    fleet.start(AlarmSpecification={"Alarms": ["errors"]}, AutoRollback=True, MinHealthyPercentage=66, InstanceWarmup=10,
                **STAYS)
    fleet.wait(lambda: "2" in fleet.versions())
    settings(alarms={"errors": "ALARM"})
    assert "errors" in fleet.until("RollbackSuccessful")[0]["RollbackDetails"]["RollbackReason"]
    assert fleet.versions() == ["1"] * 3


@case
def capacity():
    """launches fail for want of capacity, with an activity that says so, and go on when there is some."""
    fleet = Fleet()
    settings(capacity={"t3.micro": 0})
    fleet.start(MinHealthyPercentage=66, InstanceWarmup=10)

    def failing():
        rows = asg.describe_scaling_activities(AutoScalingGroupName=fleet.name)["Activities"]
        return any(a["StatusCode"] == "Failed" and "sufficient t3.micro capacity" in a["StatusMessage"] for a in rows)

    fleet.wait(failing)
    settings(capacity={})
    fleet.until("Successful")
    settings(images={fleet.image: {"launch_fails": True}})
    fleet.start(desired="1", MinHealthyPercentage=66, InstanceWarmup=0)
    fleet.wait(lambda: any("Client error on launch" in (a.get("StatusMessage") or "") for a in asg.describe_scaling_activities(
        AutoScalingGroupName=fleet.name)["Activities"]))


@case
def self_healing():
    """a crash, a word of the user, a termination: the group replaces; the lost one drains first."""
    fleet = Fleet(grace=10)
    first, second, third = [i["InstanceId"] for i in fleet.group()["Instances"]]
    settings(drain_s=10000)
    asg.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    fleet.wait(lambda: ("draining", "Target.DeregistrationInProgress") in fleet.health())
    settings(drain_s=None)
    got = asg.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=False)["Activity"]
    assert got["StatusCode"] == "WaitingForELBConnectionDraining" and second in got["Description"]
    ec2.terminate_instances(InstanceIds=[third])
    fleet.wait(lambda: fleet.health() == [("healthy", "")] * 3)
    assert not {first, second, third} & {i["InstanceId"] for i in fleet.group()["Instances"]}
    refused("ValidationError", asg.set_instance_health, InstanceId=first, HealthStatus="Unhealthy")
    refused("ValidationError", asg.set_instance_health, InstanceId="i-0123456789abcdef0", HealthStatus="Unhealthy")
    settings(images={fleet.image: {"crash_after_s": 60}})
    before = {i["InstanceId"] for i in fleet.group()["Instances"]}
    fleet.wait(lambda: not before & {i["InstanceId"] for i in fleet.group()["Instances"]})
    causes = [a["Cause"] for a in asg.describe_scaling_activities(AutoScalingGroupName=fleet.name)["Activities"]]
    assert any("ELB system health check" in c for c in causes) and any("user request" in c for c in causes)
    settings(images={})
    asg.terminate_instance_in_auto_scaling_group(InstanceId=fleet.group()["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=True)
    assert fleet.group()["DesiredCapacity"] == 2


@case
def groups():
    """groups: sizes, zones, templates and tags are checked; processes can be suspended."""
    fleet = Fleet()
    asked = {"AutoScalingGroupName": "made", "MinSize": 1, "MaxSize": 2, "VPCZoneIdentifier": "subnet-0a",
             "LaunchTemplate": {"LaunchTemplateId": fleet.template, "Version": "1"}}
    for code, changes in (("AlreadyExists", {"AutoScalingGroupName": fleet.name}), ("ValidationError", {"DesiredCapacity": 3}),
                          ("ValidationError", {"VPCZoneIdentifier": "subnet-0z"}), ("ValidationError", {"VPCZoneIdentifier": ""}),
                          ("ValidationError", {"LaunchTemplate": {"LaunchTemplateId": fleet.template, "Version": "9"}}),
                          ("ValidationError", {"LaunchTemplate": {"LaunchTemplateName": "none"}}),
                          ("ValidationError", {"HealthCheckType": "NONE"}), ("ValidationError", {"TargetGroupARNs": [fleet.target + "x"]}),
                          ("MissingParameter", {"MaxSize": None})):
        refused(code, asg.create_auto_scaling_group, **{k: v for k, v in {**asked, **changes}.items() if v is not None})
    asg.create_auto_scaling_group(**asked, Tags=[{"Key": "a", "Value": "b", "PropagateAtLaunch": True}])
    made = asg.describe_auto_scaling_groups(Filters=[{"Name": "tag:a", "Values": ["b"]}])["AutoScalingGroups"]
    assert [g["AutoScalingGroupName"] for g in made] == ["made"] and made[0]["Tags"][0]["ResourceId"] == "made"
    asg.create_or_update_tags(Tags=[{"ResourceId": "made", "ResourceType": "auto-scaling-group", "Key": "mkappliance:previous",
                                     "Value": fleet.image, "PropagateAtLaunch": False}])
    assert len(asg.describe_tags(Filters=[{"Name": "auto-scaling-group", "Values": ["made"]}])["Tags"]) == 2
    asg.attach_load_balancer_target_groups(AutoScalingGroupName="made", TargetGroupARNs=[fleet.target])
    fleet.wait(lambda: fleet.health() == [("healthy", "")] * 4)
    assert asg.describe_load_balancer_target_groups(AutoScalingGroupName="made")["LoadBalancerTargetGroups"][0]["State"] == "InService"
    asg.detach_load_balancer_target_groups(AutoScalingGroupName="made", TargetGroupARNs=[fleet.target])
    asg.suspend_processes(AutoScalingGroupName=fleet.name, ScalingProcesses=["Launch"])
    asg.terminate_instance_in_auto_scaling_group(InstanceId=fleet.group()["Instances"][0]["InstanceId"], ShouldDecrementDesiredCapacity=False)
    fleet.wait(lambda: len(fleet.group()["Instances"]) == 2)
    assert fleet.group()["SuspendedProcesses"][0]["ProcessName"] == "Launch"
    asg.resume_processes(AutoScalingGroupName=fleet.name, ScalingProcesses=["Launch"])
    fleet.wait(lambda: len(fleet.versions()) == 3)
    asg.update_auto_scaling_group(AutoScalingGroupName=fleet.name, DesiredCapacity=1)
    fleet.wait(lambda: len(fleet.group()["Instances"]) == 1)
    refused("ValidationError", asg.set_desired_capacity, AutoScalingGroupName=fleet.name, DesiredCapacity=99)
    asg.delete_auto_scaling_group(AutoScalingGroupName="made", ForceDelete=True)
    fleet.wait(lambda: not asg.describe_auto_scaling_groups(AutoScalingGroupNames=["made"])["AutoScalingGroups"])


@case
def refresh_rules():
    """StartInstanceRefresh: limits of every preference, a template that is there, rights that the template needs."""
    fleet = Fleet()
    for wrong in ({"MinHealthyPercentage": 101}, {"MaxHealthyPercentage": 99}, {"MaxHealthyPercentage": 201}, {"CheckpointPercentages": [50, 20]},
                  {"CheckpointPercentages": [0]}, {"CheckpointDelay": 172801}, {"BakeTime": 172801}, {"StandbyInstances": "No"},
                  {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 110}, {"ScaleInProtectedInstances": "No"}):
        refused("ValidationError", fleet.start, **wrong)
    refused("ValidationError", fleet.start, desired="7")
    refused("ValidationError", asg.start_instance_refresh, AutoScalingGroupName="nobody")
    ec2.create_launch_template_version(LaunchTemplateId=fleet.template, SourceVersion="1",
                                       LaunchTemplateData={"ImageId": "ami-0123456789abcdef0"})
    refused("ValidationError", fleet.start, desired="3")
    base = {"secret": SECRET, "account": ACCOUNT, "arn": "arn:x"}
    settings(credentials={KEY: {**base, "deny": ["ec2:RunInstances"]}})
    refused("AccessDenied", fleet.start)
    settings(credentials={KEY: {**base, "deny": ["autoscaling:StartInstanceRefresh"]}})
    refused("AccessDenied", fleet.start)
    settings(credentials=None, throttle={"DescribeTargetHealth": 2})
    refused("Throttling", lambda: [fleet.health() for _ in range(20)])


@case
def templates():
    """launch templates: merging with the source version, tokens, defaults, snapshots that are not inherited, deletion."""
    fleet = Fleet()
    snapshot = completed(ebs, {0: block("t")})
    data = {"ImageId": fleet.image, "InstanceType": "m5.large", "UserData": "eA==", "SecurityGroupIds": ["sg-1"],
            "IamInstanceProfile": {"Name": "app"}, "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
            "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]}
    key = ec2.create_launch_template(LaunchTemplateName="merge", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    asked = {"LaunchTemplateId": key, "SourceVersion": "1", "ClientToken": "t", "LaunchTemplateData": {"ImageId": fleet.next}}
    made = ec2.create_launch_template_version(**asked)["LaunchTemplateVersion"]
    assert made["VersionNumber"] == 2 and ec2.create_launch_template_version(**asked)["LaunchTemplateVersion"]["VersionNumber"] == 2
    refused("IdempotentParameterMismatch", ec2.create_launch_template_version, **{**asked, "LaunchTemplateData": {"ImageId": fleet.image}})
    assert made["LaunchTemplateData"] == {**data, "ImageId": fleet.next, "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {}}]}
    alone = ec2.create_launch_template_version(LaunchTemplateId=key, LaunchTemplateData={"ImageId": fleet.next})["LaunchTemplateVersion"]
    assert alone["LaunchTemplateData"] == {"ImageId": fleet.next} and not alone["DefaultVersion"]
    warned = ec2.create_launch_template_version(LaunchTemplateId=key, LaunchTemplateData={"ImageId": "ami-0123456789abcdef0"})
    assert warned["Warning"]["Errors"][0]["Code"] == "InvalidAMIID.NotFound"
    ec2.modify_launch_template(LaunchTemplateId=key, DefaultVersion="2")
    row = ec2.describe_launch_templates(LaunchTemplateNames=["merge"])["LaunchTemplates"][0]
    assert (row["DefaultVersionNumber"], row["LatestVersionNumber"]) == (2, 4)
    rows = ec2.describe_launch_template_versions(LaunchTemplateName="merge", Versions=["$Latest", "$Default"])["LaunchTemplateVersions"]
    assert [r["VersionNumber"] for r in rows] == [4, 2]
    refused("InvalidLaunchTemplateId.VersionNotFound", ec2.describe_launch_template_versions, LaunchTemplateId=key, Versions=["9"])
    refused("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template, LaunchTemplateName="merge", LaunchTemplateData=data)
    refused("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_template_versions, LaunchTemplateId="lt-0123456789abcdef0")
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=["none"])
    gone = ec2.delete_launch_template_versions(LaunchTemplateId=key, Versions=["1", "2"])
    assert [r["VersionNumber"] for r in gone["SuccessfullyDeletedLaunchTemplateVersions"]] == [1]
    assert [r["VersionNumber"] for r in gone["UnsuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    ec2.delete_launch_template(LaunchTemplateId=key)


@case
def targets():
    """target groups: registration by hand, states and reasons, what is in use."""
    fleet = Fleet(scale=0.01)
    first = fleet.group()["Instances"][0]["InstanceId"]
    other = elb.create_target_group(Name="other", Protocol="HTTP", Port=8080, VpcId="vpc-0fake")["TargetGroups"][0]["TargetGroupArn"]
    refused("DuplicateTargetGroupName", elb.create_target_group, Name="other", Protocol="HTTP", Port=8080, VpcId="vpc-0fake")
    elb.register_targets(TargetGroupArn=other, Targets=[{"Id": first}])
    row = elb.describe_target_health(TargetGroupArn=other)["TargetHealthDescriptions"][0]
    assert (row["TargetHealth"]["State"], row["TargetHealth"]["Reason"], row["Target"]) == ("unused", "Target.NotInUse", {"Id": first, "Port": 8080})
    balancer = elb.create_load_balancer(Name="other", Subnets=["subnet-0a"])["LoadBalancers"][0]["LoadBalancerArn"]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": other}])
    assert elb.describe_target_groups(TargetGroupArns=[other])["TargetGroups"][0]["LoadBalancerArns"] == [balancer]
    elb.deregister_targets(TargetGroupArn=other, Targets=[{"Id": first}])
    elb.register_targets(TargetGroupArn=other, Targets=[{"Id": first}])
    states = []
    fleet.wait(lambda: states.append(elb.describe_target_health(TargetGroupArn=other)["TargetHealthDescriptions"][0]["TargetHealth"]) or
               states[-1]["State"] == "healthy")
    assert [s.get("Reason") for s in states][0] == "Elb.RegistrationInProgress" and "Elb.InitialHealthChecking" in [s.get("Reason") for s in states]
    refused("InvalidTarget", elb.register_targets, TargetGroupArn=other, Targets=[{"Id": "i-0123456789abcdef0"}])
    refused("TargetGroupNotFound", elb.describe_target_health, TargetGroupArn=other + "0")
    refused("ResourceInUse", elb.delete_target_group, TargetGroupArn=other)
    assert elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["Port"] == 80
    assert elb.describe_load_balancers(Names=["other"])["LoadBalancers"][0]["State"]["Code"] == "active"


@case
def tour():
    """what is only described: instance types, subnets, images, snapshots, tags, regions, console output."""
    fleet = Fleet(size=1)
    types = {t["InstanceType"]: t for t in ec2.describe_instance_types(InstanceTypes=["t2.micro", "c7g.large"])["InstanceTypes"]}
    assert types["t2.micro"]["SupportedBootModes"] == ["legacy-bios"] and types["c7g.large"]["ProcessorInfo"]["SupportedArchitectures"] == ["arm64"]
    refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["x9.nano"])
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": ["vpc-0fake"]}])["Subnets"]) == 3
    image = ec2.describe_images(ImageIds=[fleet.image])["Images"][0]
    assert image["DeregistrationProtection"] == "disabled"
    ec2.describe_snapshots(OwnerIds=["self"])
    ec2.create_tags(Resources=[fleet.image], Tags=[{"Key": "toured", "Value": "1"}])
    assert ec2.describe_tags(Filters=[{"Name": "key", "Values": ["toured"]}])["Tags"][0]["ResourceType"] == "image"
    assert "us-east-1" in [r["RegionName"] for r in ec2.describe_regions()["Regions"]]
    instance = fleet.group()["Instances"][0]["InstanceId"]
    assert "mkappliance" in ec2.get_console_output(InstanceId=instance)["Output"]
    assert asg.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"][0]["HealthStatus"] == "HEALTHY"
    asg.create_launch_configuration(LaunchConfigurationName="old", ImageId=fleet.image, InstanceType="t3.micro")
    assert asg.describe_launch_configurations()["LaunchConfigurations"][0]["ImageId"] == fleet.image
    for attribute in ("launchPermission", "tpmSupport", "imdsSupport", "bootMode", "uefiData", "blockDeviceMapping", "description",
                      "deregistrationProtection"):
        ec2.describe_image_attribute(ImageId=fleet.image, Attribute=attribute)


@case
def five_hundred():
    """500 instances: pages of a group, and the calls are counted."""
    control("DELETE", "counters")
    fleet = Fleet(size=500, max=600, scale=0.02)
    assert len(fleet.group()["Instances"]) == 500 and len(fleet.health()) == 500
    fleet.start(MinHealthyPercentage=80, InstanceWarmup=10)
    refresh, low, _ = fleet.until("Successful")
    assert low >= 400, low
    assert fleet.versions() == ["2"] * 500 and counter("action:DescribeInstanceRefreshes") > 1


@case
def models():
    """every member of these answers is one that AWS's model knows."""
    assert not unknown, sorted(unknown)


finish()
