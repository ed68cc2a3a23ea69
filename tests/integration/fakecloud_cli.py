# SPDX-License-Identifier: Apache-2.0
"""Debian's aws against fakecloud: the program itself, its commands one after the other in one process (it takes a second to start).

fakecloud_cli.py CA DIR    CLOUD_URL, CLOUD_TLS_URL and AWS's variables say where; prints "ok NAME" or "not ok NAME" for each group of commands.
"""
import base64
import contextlib
import hashlib
import io
import json
import os
import sys
import time
import types

from awscli.clidriver import create_clidriver
import botocore.waiter  # behind awscli, which may bring its own

CA, DIRECTORY = sys.argv[1:]
PLAIN, TLS = os.environ["CLOUD_URL"], os.environ["CLOUD_TLS_URL"]
os.environ.update({"AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": "", "AWS_CA_BUNDLE": CA})
# "wait" looks every 15 seconds; here, where a second takes 2 ms, every 0.3.
botocore.waiter.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds / 50))
driver = create_clidriver()
failed = 0


def aws(*words, url=PLAIN, region="us-east-1", fails=None):
    """The command's answer as an object. fails: it must end with this text on standard error."""
    out, err = io.StringIO(), io.StringIO()
    out.buffer = io.BytesIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = driver.main(["--endpoint-url", url, "--output", "json", "--region", region, *words])
    if fails:
        assert status and fails in err.getvalue(), "%s: %s %s" % (" ".join(words), status, err.getvalue())
        return None
    assert status == 0, "%s: %s" % (" ".join(words), err.getvalue())
    text = out.getvalue()
    return json.loads(text) if text.strip() else None


def case(function):
    global failed
    name = "aws: " + function.__doc__.splitlines()[0].rstrip(".")
    try:
        function()
        print("ok " + name, flush=True)
    except Exception as e:  # pylint: disable=broad-except
        failed = 1
        print("not ok %s\n    %s: %s" % (name, type(e).__name__, e), flush=True)
    return function


data = hashlib.shake_128(b"aws").digest(524288)
path = os.path.join(DIRECTORY, "block")
with open(path, "wb") as f:
    f.write(data)
checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
kept = {}


@case
def upload():
    """ebs start-snapshot, put-snapshot-block with and without TLS, complete-snapshot, ec2 wait snapshot-completed."""
    for url in (PLAIN, TLS):
        key = aws("ebs", "start-snapshot", "--volume-size", "1", "--tags", "Key=mkappliance,Value=1", "--client-token", "cli" + url[:5],
                  "--description", "of the aws program", "--timeout", "60", url=url)["SnapshotId"]
        put = ["ebs", "put-snapshot-block", "--snapshot-id", key, "--block-index", "7", "--block-data", path, "--data-length", "524288",
               "--checksum", checksum, "--checksum-algorithm", "SHA256", "--progress", "100"]
        assert aws(*put, url=url)["Checksum"] == checksum
        aws(*[w.replace(checksum, "A" * 43 + "=") for w in put], url=url, fails="ValidationException")
        linear = base64.b64encode(hashlib.sha256(hashlib.sha256(data).digest()).digest()).decode()
        complete = ["ebs", "complete-snapshot", "--snapshot-id", key, "--changed-blocks-count", "1", "--checksum", linear,
                    "--checksum-algorithm", "SHA256", "--checksum-aggregation-method", "LINEAR"]
        assert aws(*complete, url=url)["Status"] == "completed"
        aws("ec2", "wait", "snapshot-completed", "--snapshot-ids", key, url=url)
    kept["snapshot"] = key


@case
def read_back():
    """ebs list-snapshot-blocks, get-snapshot-block, list-changed-blocks."""
    blocks = aws("ebs", "list-snapshot-blocks", "--snapshot-id", kept["snapshot"], "--max-results", "100", url=TLS)["Blocks"]
    out = os.path.join(DIRECTORY, "got")
    aws("ebs", "get-snapshot-block", "--snapshot-id", kept["snapshot"], "--block-index", "7", "--block-token", blocks[0]["BlockToken"], out,
        url=TLS)
    with open(out, "rb") as f:
        assert f.read() == data
    assert aws("ebs", "list-changed-blocks", "--second-snapshot-id", kept["snapshot"])["ChangedBlocks"][0]["BlockIndex"] == 7


@case
def images():
    """ec2 register-image, wait image-available, describe-images, copy-image, permissions, deprecation, tags, deregister-image."""
    words = ["ec2", "register-image", "--name", "cli-1.0", "--architecture", "x86_64", "--virtualization-type", "hvm", "--boot-mode", "uefi",
             "--tpm-support", "v2.0", "--imds-support", "v2.0", "--ena-support", "--root-device-name", "/dev/xvda",
             "--block-device-mappings", "DeviceName=/dev/xvda,Ebs={SnapshotId=%s,VolumeType=gp3,VolumeSize=2,Iops=3000,Throughput=125}"
             % kept["snapshot"]]
    aws(*words, "--dry-run", fails="DryRunOperation")
    key = aws(*words)["ImageId"]
    aws(*words, fails="InvalidAMIName.Duplicate")
    aws("ec2", "wait", "image-available", "--image-ids", key)
    aws("ec2", "create-tags", "--resources", key, kept["snapshot"], "--tags", "Key=app,Value=a b/+=&%")
    image = aws("ec2", "describe-images", "--owners", "self", "--filters", "Name=tag:app,Values=a b/+=&%")["Images"][0]
    assert (image["ImageId"], image["TpmSupport"], image["BootMode"]) == (key, "v2.0", "uefi")
    aws("ec2", "modify-image-attribute", "--image-id", key, "--launch-permission", "Add=[{UserId=444455556666}]")
    assert aws("ec2", "describe-image-attribute", "--image-id", key, "--attribute", "launchPermission")["LaunchPermissions"]
    aws("ec2", "modify-snapshot-attribute", "--snapshot-id", kept["snapshot"], "--attribute", "createVolumePermission", "--operation-type",
        "add", "--user-ids", "444455556666")
    aws("ec2", "enable-image-deprecation", "--image-id", key, "--deprecate-at", "2027-12-01T00:00:00Z")
    copy = aws("ec2", "copy-image", "--source-image-id", key, "--source-region", "us-east-1", "--name", "cli-1.0", "--encrypted",
               "--copy-image-tags", "--client-token", "c", region="eu-west-1", url=TLS)["ImageId"]
    aws("ec2", "wait", "image-available", "--image-ids", copy, region="eu-west-1")
    aws("ec2", "delete-snapshot", "--snapshot-id", kept["snapshot"], fails="InvalidSnapshot.InUse")
    aws("ec2", "deregister-image", "--image-id", copy, region="eu-west-1")
    assert aws("ec2", "get-ebs-encryption-by-default")["EbsEncryptionByDefault"] is False
    kept["image"] = key


@case
def identity_and_parameters():
    """sts get-caller-identity, ssm put-parameter, get-parameters, get-parameters-by-path."""
    assert aws("sts", "get-caller-identity")["Account"] == "111122223333"
    aws("ssm", "put-parameter", "--name", "/cli/latest", "--value", kept["image"], "--type", "String", "--data-type", "aws:ec2:image",
        "--overwrite")
    got = aws("ssm", "get-parameters", "--names", "/cli/latest", "/cli/none")
    assert got["Parameters"][0]["Value"] == kept["image"] and got["InvalidParameters"] == ["/cli/none"]
    assert len(aws("ssm", "get-parameters-by-path", "--path", "/cli", "--recursive")["Parameters"]) == 1
    aws("ssm", "get-parameter", "--name", "/cli/none", fails="ParameterNotFound")


@case
def fleet():
    """launch templates, target groups, a group made from nothing, its waiters, an instance refresh, the end of it all."""
    template = aws("ec2", "create-launch-template", "--launch-template-name", "cli", "--launch-template-data",
                   json.dumps({"ImageId": kept["image"], "InstanceType": "t3.micro", "MetadataOptions": {"HttpTokens": "required"}}))
    template = template["LaunchTemplate"]["LaunchTemplateId"]
    aws("ec2", "create-launch-template", "--launch-template-name", "cli", "--launch-template-data",
        '{"InstanceType":"t3.micro"}', fails="AlreadyExists")
    target = aws("elbv2", "create-target-group", "--name", "cli", "--protocol", "HTTP", "--port", "80", "--vpc-id", "vpc-0fake",
                 "--health-check-interval-seconds", "10")["TargetGroups"][0]["TargetGroupArn"]
    balancer = aws("elbv2", "create-load-balancer", "--name", "cli", "--subnets", "subnet-0a", "subnet-0b")["LoadBalancers"][0]
    aws("elbv2", "create-listener", "--load-balancer-arn", balancer["LoadBalancerArn"], "--protocol", "HTTP", "--port", "80",
        "--default-actions", "Type=forward,TargetGroupArn=" + target)
    aws("autoscaling", "create-auto-scaling-group", "--auto-scaling-group-name", "cli", "--min-size", "2", "--max-size", "4",
        "--launch-template", "LaunchTemplateId=%s,Version=1" % template, "--vpc-zone-identifier", "subnet-0a,subnet-0b",
        "--target-group-arns", target, "--health-check-type", "ELB", "--health-check-grace-period", "60", "--tags",
        "Key=mkappliance:drill,Value=allowed,PropagateAtLaunch=true")
    rows, end = [], time.monotonic() + 20
    while len(rows) < 2:
        assert time.monotonic() < end, "its instances never come: %s" % rows
        rows = aws("autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", "cli")["AutoScalingGroups"][0]["Instances"]
    assert len(rows) == 2, rows
    ids = [r["InstanceId"] for r in rows]
    aws("ec2", "wait", "instance-running", "--instance-ids", *ids)
    aws("elbv2", "wait", "target-in-service", "--target-group-arn", target)
    states = aws("elbv2", "describe-target-health", "--target-group-arn", target)["TargetHealthDescriptions"]
    assert [s["TargetHealth"]["State"] for s in states] == ["healthy"] * 2
    aws("ec2", "create-launch-template-version", "--launch-template-id", template, "--source-version", "1", "--launch-template-data",
        '{"InstanceType":"t3.small"}')
    versions = aws("ec2", "describe-launch-template-versions", "--launch-template-id", template)["LaunchTemplateVersions"]
    assert [(v["VersionNumber"], v["LaunchTemplateData"]["InstanceType"], v["LaunchTemplateData"]["ImageId"]) for v in versions] == [
        (2, "t3.small", kept["image"]), (1, "t3.micro", kept["image"])]
    start = ["autoscaling", "start-instance-refresh", "--auto-scaling-group-name", "cli", "--preferences",
             '{"MinHealthyPercentage":50,"InstanceWarmup":7200,"SkipMatching":true}', "--desired-configuration",
             '{"LaunchTemplate":{"LaunchTemplateId":"%s","Version":"2"}}' % template]
    aws(*start)
    aws(*start, fails="InstanceRefreshInProgress")
    refresh = aws("autoscaling", "describe-instance-refreshes", "--auto-scaling-group-name", "cli")["InstanceRefreshes"][0]
    assert refresh["Status"] in ("Pending", "InProgress")
    aws("autoscaling", "cancel-instance-refresh", "--auto-scaling-group-name", "cli")
    aws("autoscaling", "delete-auto-scaling-group", "--auto-scaling-group-name", "cli", fails="ResourceInUse")
    activities = aws("autoscaling", "describe-scaling-activities", "--auto-scaling-group-name", "cli")["Activities"]
    assert all(a["Cause"] and a["StatusCode"] for a in activities) and len(activities) >= 2
    aws("autoscaling", "delete-auto-scaling-group", "--auto-scaling-group-name", "cli", "--force-delete")
    aws("ec2", "wait", "instance-terminated", "--instance-ids", *ids)


sys.exit(failed)
