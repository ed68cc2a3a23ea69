# SPDX-License-Identifier: Apache-2.0
"""In moto at URL: a launch template, a target group behind a balancer, and an Auto Scaling group of three instances. Prints what they are
called, as JSON."""
import json
import sys

import boto3

ec2, scaling, balancing = [boto3.client(s, endpoint_url=sys.argv[1]) for s in ("ec2", "autoscaling", "elbv2")]
subnets = ec2.describe_subnets()["Subnets"][:2]
image = ec2.describe_images()["Images"][0]["ImageId"]
template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"})
template_id = template["LaunchTemplate"]["LaunchTemplateId"]
target = balancing.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])["TargetGroups"][0]["TargetGroupArn"]
balancer = balancing.create_load_balancer(Name="web", Subnets=[s["SubnetId"] for s in subnets])["LoadBalancers"][0]["LoadBalancerArn"]
balancing.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80,
                          DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
scaling.create_auto_scaling_group(
    AutoScalingGroupName="web", MinSize=0, MaxSize=6, DesiredCapacity=3, VPCZoneIdentifier=",".join(s["SubnetId"] for s in subnets),
    LaunchTemplate={"LaunchTemplateId": template_id, "Version": "1"}, TargetGroupARNs=[target], HealthCheckType="ELB",
    Tags=[{"Key": "mkappliance:drill:terminate", "Value": "2026-11-26T18:20:00Z ok 42.1", "PropagateAtLaunch": False}])
group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["web"])["AutoScalingGroups"][0]
print(json.dumps({"image": image, "template": template_id, "instances": sorted(i["InstanceId"] for i in group["Instances"])}))
