# SPDX-License-Identifier: Apache-2.0
"""Things that tests would otherwise make by many calls: an image out of nothing, and a group that already runs behind a balancer."""
import time

from store import new_id


class Nobody:
    """A caller with all rights in the default account."""

    def __init__(self, world, region):
        credential = next(iter(world.settings["credentials"].values()))
        self.account, self.arn, self.region = credential["account"], credential["arn"], region
        self.credential, self.service, self.key = {}, "ec2", "fixture"


def image(world, services, body):
    """{"name", "region", "architecture", "boot_mode", "tpm", "tags", "size"}: an available image with a completed, empty snapshot."""
    caller = Nobody(world, body.get("region", "us-east-1"))
    now = time.time()
    snapshot = {
        "id": new_id("snap"), "region": caller.region, "owner": caller.account, "size": body.get("size", 1), "status": "completed",
        "description": "", "parent": None, "encrypted": False, "kms_key": None, "started": now, "touched": now, "timeout": 0,
        "token": None, "parameters": {}, "shared": [], "complete_at": 0, "progress": "100%", "block_tags": {},
    }
    world.store.save("snapshots", snapshot["id"], snapshot)
    part = services["ec2"].owner["RegisterImage"]
    parameters = {
        "Name": body["name"], "Architecture": body.get("architecture", "x86_64"), "VirtualizationType": "hvm",
        "BootMode": body.get("boot_mode", "uefi"), "RootDeviceName": "/dev/xvda", "ImdsSupport": "v2.0", "EnaSupport": True,
        "BlockDeviceMapping": [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot["id"], "VolumeType": "gp3"}}]}
    if body.get("tpm", True):
        parameters["TpmSupport"] = "v2.0"
    if body.get("tags"):
        parameters["TagSpecification"] = [{"ResourceType": "image", "Tag": [
            {"Key": k, "Value": v} for k, v in body["tags"].items()]}]
    key = part.RegisterImage(caller, parameters)["imageId"]
    kept = world.store.get("images", key)
    kept.update({"state": "available", "ready_at": 0, "created": now - 3600})
    world.store.save("images", key, kept)
    return {"image": key, "snapshot": snapshot["id"]}


def balancer(world, services, body):
    """{"name", "region", "checks": {...}}: a target group in use by the listener of a balancer."""
    caller = Nobody(world, body.get("region", "us-east-1"))
    balancing = services["elasticloadbalancing"]
    target = balancing.CreateTargetGroup(caller, {
        "Name": body["name"], "Protocol": "HTTP", "Port": 80, "VpcId": "vpc-0fake", **body.get("checks", {
            "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2, "UnhealthyThresholdCount": 2})})["TargetGroups"][0]
    made = balancing.CreateLoadBalancer(caller, {"Name": body["name"], "Subnets": ["subnet-0a", "subnet-0b"]})["LoadBalancers"][0]
    balancing.CreateListener(caller, {"LoadBalancerArn": made["LoadBalancerArn"], "DefaultActions": [
        {"Type": "forward", "TargetGroupArn": target["TargetGroupArn"]}]})
    return {"target_group": target["TargetGroupArn"], "balancer": made["LoadBalancerArn"]}


def fleet(world, services, body):
    """{"group", "size", "image", "type", "min", "max", "region", "grace", "warmup", "health_type", "version", "tags", "suspended",
    "checks": {...}}:
    a launch template, a target group behind a balancer, and a group whose instances are in service and healthy."""
    if world.machines.are_on():
        raise ValueError("with real machines a group is made by its own calls")
    caller = Nobody(world, body.get("region", "us-east-1"))
    name, size, now = body["group"], body.get("size", 3), time.time()
    key = body.get("image") or image(world, services, {"name": name + "-image-1", "region": caller.region})["image"]
    ec2, scaling = services["ec2"], services["autoscaling"]
    template = ec2.owner["CreateLaunchTemplate"].CreateLaunchTemplate(caller, {
        "LaunchTemplateName": name, "LaunchTemplateData": {
            "ImageId": key, "InstanceType": body.get("type", "t3.micro"), "MetadataOptions": {"HttpTokens": "required"},
            "BlockDeviceMapping": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 2, "VolumeType": "gp3"}}]}})["launchTemplate"]
    behind = balancer(world, services, {**body, "name": name})
    scaling.CreateAutoScalingGroup(caller, {
        "AutoScalingGroupName": name, "MinSize": body.get("min", 0), "MaxSize": body.get("max", max(2 * size, 1)),
        "DesiredCapacity": size, "HealthCheckType": body.get("health_type", "ELB"), "HealthCheckGracePeriod": body.get("grace", 60),
        "DefaultInstanceWarmup": body.get("warmup", 30), "VPCZoneIdentifier": "subnet-0a,subnet-0b,subnet-0c",
        "TargetGroupARNs": [behind["target_group"]],
        "LaunchTemplate": {"LaunchTemplateId": template["launchTemplateId"], "Version": body.get("version", "1")},
        "Tags": [{"Key": k, "Value": v, "PropagateAtLaunch": True} for k, v in body.get("tags", {}).items()]})
    group = world.store.get("groups", scaling.key(caller, name))
    group["suspended"] = sorted(body.get("suspended", []))
    run = world.fleet
    long_ago = now - run.lasts(100000)
    for _ in range(size):
        if not run.launch(group, long_ago, None):
            break
    for instance in run.of(group):
        run.in_service(group, instance, long_ago)
    return {"group": name, "image": key, "template": template["launchTemplateId"], **behind, "instances": [i["id"] for i in run.of(group)]}
