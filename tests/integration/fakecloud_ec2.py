# SPDX-License-Identifier: Apache-2.0
"""EC2, STS, SSM and what gives credentials, of fakecloud, asked by AWS's own library; each rule has a request that is refused.

fakecloud_ec2.py    CLOUD_URL and AWS's variables say where; prints "ok NAME" or "not ok NAME" for each case.
"""
import base64
import json
import time
import urllib.error
import urllib.request

import botocore.credentials
import botocore.session
import botocore.utils

from fakecloud_client import (ACCOUNT, KEY, SECRET, URL, block, case, client, completed, control, counter, finish, form, refused,
                              settings)

ebs, ec2, sts, ssm = client("ebs"), client("ec2"), client("sts"), client("ssm")
west = client("ec2", "us-west-2")
serial = iter(range(1000))


def name():
    return "image-%d" % next(serial)


def device(snapshot, **volume):
    return [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, **volume}}]


def register(snapshot, **changes):
    parameters = {"Name": name(), "Architecture": "x86_64", "VirtualizationType": "hvm", "BootMode": "uefi", "TpmSupport": "v2.0",
                  "ImdsSupport": "v2.0", "EnaSupport": True, "RootDeviceName": "/dev/xvda", "BlockDeviceMappings": device(snapshot),
                  **changes}
    return ec2.register_image(**{k: v for k, v in parameters.items() if v is not None})["ImageId"]


SNAPSHOT = completed(ebs, {0: block("a")}, VolumeSize=2)


@case
def registration():
    """RegisterImage: all that was asked is described; tags, sizes and boot modes are checked; a name is taken once."""
    data, known = base64.b64encode(b"AMZNUEFI").decode(), name()
    key = register(SNAPSHOT, Name=known, Description="d", UefiData=data, SriovNetSupport="simple",
                   BlockDeviceMappings=device(SNAPSHOT, VolumeType="gp3", VolumeSize=8, Iops=4000, Throughput=500,
                                              DeleteOnTermination=False))
    image = ec2.describe_images(ImageIds=[key])["Images"][0]
    told = {k: image.get(k) for k in ("State", "Architecture", "VirtualizationType", "BootMode", "TpmSupport", "ImdsSupport", "EnaSupport",
                                      "SriovNetSupport", "Name", "Description", "OwnerId", "Public", "RootDeviceName")}
    assert told == {"State": "available", "Architecture": "x86_64", "VirtualizationType": "hvm", "BootMode": "uefi", "TpmSupport": "v2.0",
                    "ImdsSupport": "v2.0", "EnaSupport": True, "SriovNetSupport": "simple", "Name": known, "Description": "d",
                    "OwnerId": ACCOUNT, "Public": False, "RootDeviceName": "/dev/xvda"}, told
    volume = image["BlockDeviceMappings"][0]["Ebs"]
    assert volume == {"SnapshotId": SNAPSHOT, "VolumeType": "gp3", "VolumeSize": 8, "Iops": 4000, "Throughput": 500,
                      "DeleteOnTermination": False, "Encrypted": False}, volume
    assert ec2.describe_image_attribute(ImageId=key, Attribute="uefiData")["UefiData"]["Value"] == data
    refused("InvalidAMIName.Duplicate", register, SNAPSHOT, Name=known)
    pending = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    for code, changes in (
            ("InvalidAMIName.Malformed", {"Name": "no"}), ("InvalidAMIName.Malformed", {"Name": "a+b c"}),
            ("InvalidParameterValue", {"TpmSupport": "v1.2"}), ("InvalidParameterValue", {"BootMode": "bios", "TpmSupport": None}),
            ("InvalidParameterValue", {"BootMode": "legacy-bios"}), ("InvalidParameterValue", {"UefiData": "!"}),
            ("InvalidParameterValue", {"UefiData": "A" * 64004}), ("InvalidParameterValue", {"ImdsSupport": "v1.0"}),
            ("InvalidParameterValue", {"Description": "x" * 256}), ("InvalidParameterValue", {"Architecture": "x86"}),
            ("InvalidParameterCombination", {"Architecture": None}), ("InvalidParameterCombination", {"VirtualizationType": None}),
            ("InvalidBlockDeviceMapping", {"RootDeviceName": "/dev/sda1"}), ("MissingParameter", {"BlockDeviceMappings": []}),
            ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": device(pending)}),
            ("InvalidSnapshot.NotFound", {"BlockDeviceMappings": device("snap-0123456789abcdef0")}),
            ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": device(SNAPSHOT, VolumeSize=1)}),
            ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": device(SNAPSHOT, Encrypted=True)}),
            ("InvalidParameterCombination", {"BlockDeviceMappings": device(SNAPSHOT, VolumeType="gp3", Iops=20000)}),
            ("InvalidParameterCombination", {"BlockDeviceMappings": device(SNAPSHOT, VolumeType="gp3", Throughput=1001)}),
            ("InvalidParameterCombination", {"BlockDeviceMappings": device(SNAPSHOT, VolumeType="gp2", Throughput=125)}),
            ("InvalidParameterValue", {"BlockDeviceMappings": device(SNAPSHOT, VolumeType="gp9")})):
        refused(code, register, SNAPSHOT, **changes)
    refused("DryRunOperation", register, SNAPSHOT, DryRun=True)
    refused("InvalidAMIName.Duplicate", register, SNAPSHOT, DryRun=True, Name=known)
    settings(credentials={KEY: {"secret": SECRET, "account": ACCOUNT, "arn": "arn:x", "deny": ["ec2:RegisterImage"]}})
    refused("UnauthorizedOperation", register, SNAPSHOT, DryRun=True)


@case
def parameters():
    """parameters are known by their exact names, lists are numbered from 1, values have their types."""
    assert form("DescribeImages")[0] == 200
    assert form("DescribeImages", Owners=1)[1] == "UnknownParameter"
    assert form("DescribeImages", version="2015-10-01")[1] == "InvalidParameterValue"
    assert form("DescribeNothing")[1] == "InvalidAction"
    for wrong in ({"Owner": "self"}, {"Owner.0": "self"}, {"Owner.2": "self"}, {"Owner.1.x": "self"}, {"Filter.1.Values.1": "x"},
                  {"IncludeDeprecated": "yes"}, {"MaxResults": "many"}, {"Filter.1.Name": "colour", "Filter.1.Value.1": "red"}):
        code = form("DescribeImages", **wrong)[1]
        assert code in ("InvalidParameterValue", "UnknownParameter", "MissingParameter"), (wrong, code)
    assert form("DeleteSnapshot")[1] == "MissingParameter"
    assert form("", body="Action=DescribeImages&Version=2016-11-15&Owner.1=a&Owner.1=b")[1] == "InvalidParameterCombination"
    assert form("", body="Action=DescribeImages&Version=2016-11-15&Owner.1")[1] == "MalformedQueryString"


@case
def states():
    """an image takes its time, may fail, and is not known at once; only an available one can be changed."""
    settings(image_pending_s=0.4)
    key = register(SNAPSHOT)
    assert ec2.describe_images(ImageIds=[key])["Images"][0]["State"] == "pending"
    refused("IncorrectState", ec2.modify_image_attribute, ImageId=key, Description={"Value": "x"})
    time.sleep(0.5)
    assert ec2.describe_images(ImageIds=[key])["Images"][0]["State"] == "available"
    settings(image_pending_s=0, image_lag_s=0.4)
    key = register(SNAPSHOT)
    refused("InvalidAMIID.NotFound", ec2.create_tags, Resources=[key], Tags=[{"Key": "a", "Value": "b"}])
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[key])
    time.sleep(0.5)
    ec2.create_tags(Resources=[key], Tags=[{"Key": "a", "Value": "b"}])
    bad = name()
    settings(fail_images=[bad], image_lag_s=0)
    key = register(SNAPSHOT, Name=bad)
    image = ec2.describe_images(ImageIds=[key])["Images"][0]
    assert image["State"] == "failed" and image["StateReason"]["Message"]
    control("POST", "image", {"id": key, "state": "invalid"})
    assert ec2.describe_images(ImageIds=[key])["Images"][0]["State"] == "invalid"


@case
def tags():
    """tags: 50, their lengths, aws: reserved; filters by tag, wildcard, state."""
    key = register(SNAPSHOT)
    for code, new in (("InvalidParameterValue", [{"Key": "aws:x", "Value": "y"}]), ("InvalidParameterValue", [{"Key": "x" * 128, "Value": ""}]),
                      ("InvalidParameterValue", [{"Key": "x", "Value": "y" * 256}]),
                      ("TagLimitExceeded", [{"Key": str(i), "Value": ""} for i in range(51)])):
        refused(code, ec2.create_tags, Resources=[key], Tags=new)
    refused("InvalidAMIID.NotFound", ec2.create_tags, Resources=["ami-0123456789abcdef0"], Tags=[{"Key": "a", "Value": "b"}])
    refused("InvalidAMIID.NotFound", west.create_tags, Resources=[key], Tags=[{"Key": "a", "Value": "b"}])
    ec2.create_tags(Resources=[key, SNAPSHOT], Tags=[{"Key": "app", "Value": "web-1"}, {"Key": "gone", "Value": "1"}])
    ec2.delete_tags(Resources=[key], Tags=[{"Key": "gone"}])
    assert ec2.describe_images(ImageIds=[key])["Images"][0]["Tags"] == [{"Key": "app", "Value": "web-1"}]

    def found(*filters):
        return [i["ImageId"] for i in ec2.describe_images(Owners=["self"], Filters=[{"Name": n, "Values": v} for n, v in filters])["Images"]]

    assert found(("tag:app", ["web-*"]), ("state", ["available"])) == [key]
    assert found(("tag:app", ["web-2", "web-1"])) == [key] and found(("tag:app", ["web"])) == []
    assert found(("tag-key", ["app"])) == [key] and found(("tag:app", ["web-*"]), ("state", ["pending"])) == []
    assert ec2.describe_snapshots(Filters=[{"Name": "tag:app", "Values": ["web-1"]}])["Snapshots"][0]["SnapshotId"] == SNAPSHOT


@case
def pages():
    """DescribeSnapshots and DescribeImages give pages of MaxResults."""
    for _ in range(6):
        completed(ebs, {}, Description="paged")
    filters = [{"Name": "description", "Values": ["paged"]}]
    first = ec2.describe_snapshots(Filters=filters, MaxResults=5)
    rest = ec2.describe_snapshots(Filters=filters, MaxResults=5, NextToken=first["NextToken"])
    assert len(first["Snapshots"]) == 5 and len(rest["Snapshots"]) == 1 and "NextToken" not in rest
    refused("InvalidParameterValue", ec2.describe_snapshots, MaxResults=4)
    refused("InvalidNextToken", ec2.describe_snapshots, NextToken="x")


@case
def copies():
    """CopyImage: to another region, with its tags, encrypted, once for each token; the copy's blocks are the source's."""
    key = register(SNAPSHOT)
    ec2.create_tags(Resources=[key], Tags=[{"Key": "app", "Value": "web"}])
    settings(copy_s=0.4)
    asked = {"SourceImageId": key, "SourceRegion": "us-east-1", "Name": name(), "Encrypted": True, "CopyImageTags": True,
             "KmsKeyId": "arn:aws:kms:us-west-2:%s:key/a" % ACCOUNT, "ClientToken": "copy-1"}
    copy = west.copy_image(**asked)["ImageId"]
    assert west.copy_image(**asked)["ImageId"] == copy
    refused("IdempotentParameterMismatch", west.copy_image, **{**asked, "Name": name()})
    image = west.describe_images(ImageIds=[copy])["Images"][0]
    assert image["State"] == "pending" and image["TpmSupport"] == "v2.0" and image["Tags"] == [{"Key": "app", "Value": "web"}]
    time.sleep(0.5)
    image = west.describe_images(ImageIds=[copy])["Images"][0]
    volume = image["BlockDeviceMappings"][0]["Ebs"]
    assert image["State"] == "available" and volume["Encrypted"]
    settings(copy_s=0)
    for code, changes in (("InvalidAMIID.NotFound", {"SourceImageId": "ami-0123456789abcdef0"}),
                          ("InvalidAMIID.NotFound", {"SourceRegion": "eu-west-1"}), ("InvalidParameterDependency", {"Encrypted": None}),
                          ("InvalidAMIName.Malformed", {"Name": "no"}), ("InvalidParameterValue", {"ClientToken": "x" * 129})):
        changed = {k: v for k, v in {**asked, "ClientToken": name(), **changes}.items() if v is not None}
        refused(code, west.copy_image, **changed)
    snapshot = volume["SnapshotId"]
    far = client("ebs", "us-west-2")
    listed = far.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
    assert [b["BlockIndex"] for b in listed] == [0]
    got = far.get_snapshot_block(SnapshotId=snapshot, BlockIndex=0, BlockToken=listed[0]["BlockToken"])
    assert got["BlockData"].read() == block("a")
    settings(fail_copies=["us-west-2"])
    failed = west.copy_image(**{**asked, "ClientToken": "copy-2"})["ImageId"]
    assert west.describe_images(ImageIds=[failed])["Images"][0]["State"] == "failed"


@case
def sharing():
    """launch permissions by account, organisation, unit, all; an encrypted image is not public; the other account sees it."""
    key = register(SNAPSHOT)
    organisation = "arn:aws:organizations::%s:organization/o-0123456789" % ACCOUNT
    unit = "arn:aws:organizations::%s:ou/o-0123456789/ou-ab12-cdefgh34" % ACCOUNT
    who = [{"UserId": "444455556666"}, {"OrganizationArn": organisation}, {"OrganizationalUnitArn": unit}]
    ec2.modify_image_attribute(ImageId=key, LaunchPermission={"Add": who})
    assert ec2.describe_image_attribute(ImageId=key, Attribute="launchPermission")["LaunchPermissions"] == who
    for wrong in ({"UserId": "1"}, {"OrganizationArn": unit}, {"OrganizationalUnitArn": organisation}, {"Group": "some"}):
        refused("InvalidAMIAttributeItemValue", ec2.modify_image_attribute, ImageId=key, LaunchPermission={"Add": [wrong]})
    settings(credentials={KEY: {"secret": SECRET, "account": ACCOUNT, "arn": "arn:x"},
                          "AKIAOTHER": {"secret": "s", "account": "444455556666", "arn": "arn:y"},
                          "AKIATHIRD": {"secret": "s", "account": "777788889999", "arn": "arn:z"}})
    assert client("ec2", key="AKIAOTHER", secret="s").describe_images(ImageIds=[key])["Images"][0]["OwnerId"] == ACCOUNT
    refused("InvalidAMIID.NotFound", client("ec2", key="AKIATHIRD", secret="s").describe_images, ImageIds=[key])
    ec2.modify_image_attribute(ImageId=key, LaunchPermission={"Remove": who[:1]})
    refused("InvalidAMIID.NotFound", client("ec2", key="AKIAOTHER", secret="s").describe_images, ImageIds=[key])
    ec2.modify_snapshot_attribute(SnapshotId=SNAPSHOT, CreateVolumePermission={"Add": [{"UserId": "444455556666"}]})
    got = ec2.describe_snapshot_attribute(SnapshotId=SNAPSHOT, Attribute="createVolumePermission")
    assert got["CreateVolumePermissions"] == [{"UserId": "444455556666"}]
    ec2.modify_snapshot_attribute(SnapshotId=SNAPSHOT, CreateVolumePermission={"Remove": [{"UserId": "444455556666"}]})
    sealed = completed(ebs, {0: block("s")}, Encrypted=True)
    refused("InvalidParameter", ec2.modify_snapshot_attribute, SnapshotId=sealed, CreateVolumePermission={"Add": [{"UserId": ACCOUNT}]})
    secret = register(sealed)
    refused("InvalidParameter", ec2.modify_image_attribute, ImageId=secret, LaunchPermission={"Add": [{"Group": "all"}]})


@case
def lives():
    """deprecation, deregistration, and a snapshot that an image uses."""
    key, snapshot = None, completed(ebs, {0: block("z")})
    key = register(snapshot)
    refused("InvalidParameterValue", ec2.enable_image_deprecation, ImageId=key, DeprecateAt=time.time() - 3600)
    refused("InvalidParameterValue", ec2.enable_image_deprecation, ImageId=key, DeprecateAt=time.time() + 11 * 366 * 86400)
    ec2.enable_image_deprecation(ImageId=key, DeprecateAt=time.time() + 86400)
    assert ec2.describe_images(ImageIds=[key])["Images"][0]["DeprecationTime"]
    refused("InvalidSnapshot.InUse", ec2.delete_snapshot, SnapshotId=snapshot)
    assert form("EnableImageDeregistrationProtection", ImageId=key)[0] == 200
    refused("OperationNotPermitted", ec2.deregister_image, ImageId=key)
    assert form("DisableImageDeregistrationProtection", ImageId=key)[0] == 200
    ec2.deregister_image(ImageId=key)
    refused("InvalidAMIID.Unavailable", ec2.deregister_image, ImageId=key)
    refused("InvalidAMIID.NotFound", ec2.describe_images, ImageIds=[key])
    ec2.delete_snapshot(SnapshotId=snapshot)
    refused("InvalidSnapshot.NotFound", ec2.delete_snapshot, SnapshotId=snapshot)
    refused("InvalidSnapshotID.Malformed", ec2.delete_snapshot, SnapshotId="ami-1")


@case
def defaults():
    """encryption by default, and what the account's key is."""
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    ec2.enable_ebs_encryption_by_default()
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert west.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    ec2.disable_ebs_encryption_by_default()
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"


@case
def roles():
    """AssumeRole: trust, external id, duration; the session's own rights and end."""
    role = "arn:aws:iam::%s:role/builder" % ACCOUNT
    settings(roles={role: {"trust": ["arn:aws:iam::%s:user/*" % ACCOUNT], "external_id": "x", "deny": ["ec2:DescribeImages"]}})
    who = sts.get_caller_identity()
    assert (who["Account"], who["Arn"]) == (ACCOUNT, "arn:aws:iam::%s:user/tester" % ACCOUNT)
    asked = {"RoleArn": role, "RoleSessionName": "me", "ExternalId": "x"}
    got = sts.assume_role(**asked)["Credentials"]
    own = {"key": got["AccessKeyId"], "secret": got["SecretAccessKey"], "token": got["SessionToken"]}
    assert client("sts", **own).get_caller_identity()["Arn"] == "arn:aws:sts::%s:assumed-role/builder/me" % ACCOUNT
    refused("UnauthorizedOperation", client("ec2", **own).describe_images)
    refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="me")
    refused("AccessDenied", sts.assume_role, **{**asked, "RoleArn": role + "x"})
    refused("AccessDenied", client("sts", **own).assume_role, **asked)
    refused("ValidationError", sts.assume_role, **asked, DurationSeconds=60)
    refused("ValidationError", sts.assume_role, **{**asked, "RoleSessionName": "a b"})
    settings(session_s=0.2)
    got = sts.assume_role(**asked)["Credentials"]
    time.sleep(0.3)
    old = client("sts", key=got["AccessKeyId"], secret=got["SecretAccessKey"], token=got["SessionToken"])
    refused("ExpiredToken", old.get_caller_identity)
    settings(web_identity_tokens={"jwt": [role]}, session_s=None)
    asked = {"RoleArn": role, "RoleSessionName": "me", "WebIdentityToken": "jwt"}
    assert sts.assume_role_with_web_identity(**asked)["Credentials"]["AccessKeyId"].startswith("ASIA")
    refused("InvalidIdentityToken", sts.assume_role_with_web_identity, **{**asked, "WebIdentityToken": "other"})
    refused("AccessDenied", sts.assume_role_with_web_identity, **{**asked, "RoleArn": role + "x"})


@case
def parameter_store():
    """SSM parameters: versions, overwriting, names, images that must exist."""
    key = register(SNAPSHOT)
    asked = {"Name": "/mk/web/latest", "Value": key, "Type": "String", "DataType": "aws:ec2:image"}
    assert ssm.put_parameter(**asked, Tags=[{"Key": "a", "Value": "b"}])["Version"] == 1
    refused("ParameterAlreadyExists", ssm.put_parameter, **asked)
    assert ssm.put_parameter(**asked, Overwrite=True)["Version"] == 2
    got = ssm.get_parameter(Name="/mk/web/latest")["Parameter"]
    assert (got["Value"], got["Version"], got["DataType"]) == (key, 2, "aws:ec2:image") and got["ARN"].endswith(":parameter/mk/web/latest")
    for changes in ({"Value": "ami-0123456789abcdef0"}, {"Name": "mk/web"}, {"Name": "/aws/x"}, {"Name": "/a b"}, {"Type": "Text"},
                    {"Value": ""}, {"Overwrite": True, "Tags": [{"Key": "a", "Value": "b"}]}, {"Name": "/x", "Value": "y" * 4097},
                    {"DataType": "aws:x"}):
        refused("ValidationException", ssm.put_parameter, **{**asked, "Overwrite": True, **changes})
    both = ssm.get_parameters(Names=["/mk/web/latest", "/mk/none"])
    assert [p["Value"] for p in both["Parameters"]] == [key] and both["InvalidParameters"] == ["/mk/none"]
    refused("ParameterNotFound", ssm.get_parameter, Name="/mk/none")
    assert [p["Name"] for p in ssm.get_parameters_by_path(Path="/mk", Recursive=True)["Parameters"]] == ["/mk/web/latest"]
    assert ssm.get_parameters_by_path(Path="/mk")["Parameters"] == []
    refused("ParameterNotFound", client("ssm", "us-west-2").get_parameter, Name="/mk/web/latest")


def get(path, method="GET", **headers):
    request = urllib.request.Request(URL + path, headers={k.replace("_", "-"): v for k, v in headers.items()}, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, ""


@case
def metadata():
    """IMDS speaks only version 2; its credentials work; AWS's library finds them."""
    role = "/latest/meta-data/iam/security-credentials/"
    assert get(role)[0] == 401 and get(role, X_aws_ec2_metadata_token="x")[0] == 401
    assert get("/latest/api/token")[0] == 405 and get("/latest/api/token", "PUT")[0] == 400
    token = get("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")[1]
    name_of = get(role, X_aws_ec2_metadata_token=token)[1]
    document = json.loads(get(role + name_of, X_aws_ec2_metadata_token=token)[1])
    found = client("sts", key=document["AccessKeyId"], secret=document["SecretAccessKey"], token=document["Token"]).get_caller_identity()
    assert ":assumed-role/appliance-builder/" in found["Arn"]
    assert get("/latest/meta-data/placement/region", X_aws_ec2_metadata_token=token)[1] == "us-east-1"
    fetcher = botocore.utils.InstanceMetadataFetcher(base_url=URL, num_attempts=1, env={})
    assert fetcher.retrieve_iam_role_credentials()["access_key"] == document["AccessKeyId"]
    settings(imds={"refuse": True})
    assert get("/latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")[0] == 403


@case
def containers():
    """the container endpoint wants its Authorization; the SSO portal its token, role and account."""
    fetcher = botocore.utils.ContainerMetadataFetcher()
    got = fetcher.retrieve_full_uri(URL + "/container/credentials", headers={"Authorization": "container-token"})
    assert client("sts", key=got["AccessKeyId"], secret=got["SecretAccessKey"], token=got["Token"]).get_caller_identity()
    assert get("/container/credentials")[0] == 403 and get("/container/credentials", Authorization="x")[0] == 403
    settings(sso_tokens={"bearer": ["arn:aws:iam::%s:role/dev" % ACCOUNT]})
    sso = client("sso")
    got = sso.get_role_credentials(roleName="dev", accountId=ACCOUNT, accessToken="bearer")["roleCredentials"]
    own = client("sts", key=got["accessKeyId"], secret=got["secretAccessKey"], token=got["sessionToken"])
    assert ":assumed-role/dev/" in own.get_caller_identity()["Arn"]
    refused("UnauthorizedException", sso.get_role_credentials, roleName="dev", accountId=ACCOUNT, accessToken="other")
    refused("ForbiddenException", sso.get_role_credentials, roleName="ops", accountId=ACCOUNT, accessToken="bearer")
    assert counter("action:GetRoleCredentials") >= 3


finish()
