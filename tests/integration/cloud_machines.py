# SPDX-License-Identifier: Apache-2.0
"""What cloud_machines.sh does in the cloud beside the tool: the balancer in front of the group, and the work of somebody who alters an image.

cloud_machines.py balancer NAME PORT        prints the target group's ARN
cloud_machines.py group NAME TARGET IMAGE   two instances of an image
cloud_machines.py alter IMAGE FILE TEXT BY  an image like it, whose FILE (as built) has other words where TEXT stands; prints its id
"""
import sys

from fakecloud_client import BLOCK, client, put

asg, elb, ec2, ebs = client("autoscaling"), client("elbv2"), client("ec2"), client("ebs")


def balancer(name, port):
    target = elb.create_target_group(
        Name=name, Protocol="HTTP", Port=8080, VpcId="vpc-0fake", HealthCheckPath="/healthz", HealthCheckIntervalSeconds=10,
        HealthCheckTimeoutSeconds=9, HealthyThresholdCount=2, UnhealthyThresholdCount=6)["TargetGroups"][0]["TargetGroupArn"]
    made = elb.create_load_balancer(Name=name, Subnets=["subnet-0a", "subnet-0b"])["LoadBalancers"][0]
    elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=int(port),
                        DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
    print(target)


def group(name, target, image):
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData={
        "ImageId": image, "InstanceType": "t3.micro"})["LaunchTemplate"]["LaunchTemplateId"]
    asg.create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=1, MaxSize=4, DesiredCapacity=2, HealthCheckType="ELB", HealthCheckGracePeriod=900,
        DefaultInstanceWarmup=5, VPCZoneIdentifier="subnet-0a,subnet-0b", TargetGroupARNs=[target],
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        Tags=[{"Key": "mkappliance:drill", "Value": "allowed", "PropagateAtLaunch": False}])


def alter(image, file, text, by):
    """By EBS direct, as one would who has the rights: a snapshot whose parent is the image's own, with one block of other content."""
    text, by = text.encode(), by.encode()
    have = ec2.describe_images(ImageIds=[image])["Images"][0]
    disk = have["BlockDeviceMappings"][0]
    with open(file, "rb") as f:
        built = f.read()
    at = built.index(text)
    assert len(text) == len(by) and built.find(text, at + 1) < 0 and at % BLOCK + len(text) <= BLOCK, at
    data = bytearray(built[at // BLOCK * BLOCK:][:BLOCK].ljust(BLOCK, b"\0"))
    data[at % BLOCK:at % BLOCK + len(by)] = by
    snapshot = ebs.start_snapshot(VolumeSize=disk["Ebs"]["VolumeSize"], ParentSnapshotId=disk["Ebs"]["SnapshotId"])["SnapshotId"]
    put(ebs, snapshot, at // BLOCK, bytes(data))
    ebs.complete_snapshot(SnapshotId=snapshot, ChangedBlocksCount=1)
    print(ec2.register_image(
        Name=have["Name"] + "-altered", Architecture=have["Architecture"], BootMode=have["BootMode"], TpmSupport=have["TpmSupport"],
        ImdsSupport="v2.0", EnaSupport=True, VirtualizationType="hvm", RootDeviceName=have["RootDeviceName"],
        BlockDeviceMappings=[{"DeviceName": disk["DeviceName"], "Ebs": {
            "SnapshotId": snapshot, "VolumeType": "gp3", "DeleteOnTermination": True}}])["ImageId"])


globals()[sys.argv[1]](*sys.argv[2:])
