# SPDX-License-Identifier: Apache-2.0
"""EBS direct of fakecloud, asked by AWS's own library: what is right is accepted, and each rule has a request that is refused.

fakecloud_ebs.py STATE    CLOUD_URL and AWS's variables say where; prints "ok NAME" or "not ok NAME" for each case.
"""
import hashlib
import os
import subprocess
import sys
import time

from fakecloud_client import (BLOCK, KEY, SECRET, Raw, block, case, checksum, client, completed, control, counter, finish, linear, put,
                              refused, settings)

ebs, ec2 = client("ebs"), client("ec2")
STATE = sys.argv[1]


def start_body(text=b'{"VolumeSize": 1}', **more):
    return Raw("POST", "/snapshots", text, {"Content-Type": "application/json"}, **more)


@case
def signatures():
    """a signature is checked: secret, key, body, headers, scope, and that every x-amz- header is signed."""
    assert start_body().send()[0] == 201
    assert start_body(secret="wrong").send()[:2] == (403, "InvalidSignatureException")
    assert start_body(key="AKIAUNKNOWN").send()[:2] == (403, "UnrecognizedClientException")
    assert start_body().send(Authorization=None)[:2] == (403, "MissingAuthenticationTokenException")
    assert start_body().send(body=b'{"VolumeSize": 2}')[:2] == (403, "InvalidSignatureException")
    assert start_body().send(Content_Type="text/plain")[:2] == (403, "InvalidSignatureException")
    assert start_body().send(x_amz_user_agent="me")[:2] == (400, "IncompleteSignatureException")
    assert start_body().send(Authorization=start_body().headers["Authorization"].replace("/ebs/", "/ec2/"))[0] == 403
    good = start_body().headers["Authorization"]
    assert start_body().send(Authorization=good.replace("content-type;host", "host;content-type"))[0] == 400
    assert start_body(region="eu-west-1").send()[0] == 201
    assert start_body(payload="UNSIGNED-PAYLOAD").send()[:2] == (403, "InvalidSignatureException")
    assert start_body(payload="0" * 64).send()[:2] == (403, "InvalidSignatureException")
    assert start_body(payload=hashlib.sha256(b'{"VolumeSize": 1}').hexdigest()).send()[0] == 201
    assert start_body().send(X_Amz_Date="20200101T000000Z")[0] == 400


@case
def clocks():
    """a clock that is off by an hour is refused, by the code of each service, with the cloud's time in Date."""
    settings(clock_offset_s=3600)
    assert "earlier" in refused("InvalidSignatureException", ebs.start_snapshot, VolumeSize=1)
    refused("RequestExpired", ec2.describe_images)
    refused("SignatureDoesNotMatch", client("sts").get_caller_identity)
    settings(skew_code="RequestTimeTooSkewed")
    raw = start_body()
    assert raw.send()[1] == "RequestTimeTooSkewed"
    ahead = time.mktime(time.strptime(raw.answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")) - time.mktime(time.gmtime())
    assert 3500 < ahead < 3700, ahead
    settings(clock_offset_s=-3600)
    assert start_body().send()[0] == 403
    settings(clock_offset_s=240)
    assert start_body().send()[0] == 201


@case
def session_tokens():
    """session tokens: the right one, none, a wrong one, one too many, an expired one."""
    settings(credentials={KEY: {"secret": SECRET, "account": "111122223333", "arn": "arn:aws:iam::111122223333:user/tester"},
                          "ASIATEMP": {"secret": "s", "token": "tok/+=", "account": "111122223333", "arn": "arn:x", "expires": time.time() + 60},
                          "ASIAOLD": {"secret": "s", "token": "t", "account": "111122223333", "arn": "arn:x", "expires": time.time() - 1}})
    client("ebs", key="ASIATEMP", secret="s", token="tok/+=").start_snapshot(VolumeSize=1)
    for token in (None, "other"):
        refused("UnrecognizedClientException", client("ebs", key="ASIATEMP", secret="s", token=token).start_snapshot, VolumeSize=1)
    refused("UnrecognizedClientException", client("ebs", token="tok").start_snapshot, VolumeSize=1)
    for service, code in (("ebs", "ExpiredTokenException"), ("ec2", "RequestExpired"), ("sts", "ExpiredToken")):
        call = {"ebs": "start_snapshot", "ec2": "describe_images", "sts": "get_caller_identity"}[service]
        arguments = {"VolumeSize": 1} if service == "ebs" else {}
        refused(code, getattr(client(service, key="ASIAOLD", secret="s", token="t"), call), **arguments)


@case
def permissions():
    """denied actions and IAM policies: by action, by a tag of the request, by a tag of the resource."""
    arn = "arn:aws:iam::111122223333:user/tester"
    base = {"secret": SECRET, "account": "111122223333", "arn": arn}
    settings(credentials={KEY: {**base, "deny": ["ebs:PutSnapshot*"]}})
    key = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    message = refused("AccessDeniedException", put, ebs, key, 0, block(0))
    assert arn in message and "ebs:PutSnapshotBlock" in message and key in message, message
    statements = [
        {"Effect": "Allow", "Action": ["ebs:StartSnapshot", "ec2:CreateTags"], "Resource": "arn:aws:ec2:*::snapshot/*",
         "Condition": {"StringEquals": {"aws:RequestTag/mkappliance": "1"}}},
        {"Effect": "Allow", "Action": "ebs:*", "Resource": "arn:aws:ec2:us-east-1::snapshot/*",
         "Condition": {"StringEquals": {"aws:ResourceTag/mkappliance": "1"}}}]
    settings(credentials={KEY: {**base, "policy": {"Version": "2012-10-17", "Statement": statements}}})
    refused("AccessDeniedException", ebs.start_snapshot, VolumeSize=1)
    refused("AccessDeniedException", put, ebs, key, 0, block(0))
    mine = ebs.start_snapshot(VolumeSize=1, Tags=[{"Key": "mkappliance", "Value": "1"}])["SnapshotId"]
    put(ebs, mine, 0, block(0))
    refused("UnauthorizedOperation", ec2.describe_images)


@case
def start():
    """StartSnapshot: the answer, defaults, limits of every member."""
    answer = ebs.start_snapshot(VolumeSize=3, Description="d", Tags=[{"Key": "k", "Value": "v"}], Timeout=10)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (answer["Status"], answer["VolumeSize"], answer["BlockSize"], answer["OwnerId"]) == ("pending", 3, BLOCK, "111122223333")
    assert answer["Tags"] == [{"Key": "k", "Value": "v"}] and answer["Description"] == "d" and "KmsKeyArn" not in answer
    row = ec2.describe_snapshots(SnapshotIds=[answer["SnapshotId"]])["Snapshots"][0]
    assert (row["State"], row["Encrypted"], row["Tags"]) == ("pending", False, [{"Key": "k", "Value": "v"}])
    for bad in ({"VolumeSize": 0}, {"VolumeSize": 65537}, {"Timeout": 9}, {"Timeout": 4321}, {"Description": "x" * 256},
                {"ClientToken": "a b"}, {"ClientToken": "x" * 256}, {"Tags": [{"Key": "aws:x", "Value": "y"}]},
                {"Tags": [{"Key": "x" * 128, "Value": "y"}]}, {"Tags": [{"Key": "x", "Value": "y" * 256}]},
                {"Tags": [{"Key": str(i), "Value": ""} for i in range(51)]}, {"Tags": [{"Key": "x", "Value": "1"}] * 2},
                {"KmsKeyArn": "key"}):
        refused("ValidationException", ebs.start_snapshot, **{"VolumeSize": 1, **bad})
    assert start_body(b'{"VolumeSize": 1, "Volume": 2}').send()[1] == "ValidationException"
    assert start_body(b'{"VolumeSize": "1"}').send()[1] == "SerializationException"
    assert start_body(b'{"VolumeSize": 1').send()[1] == "SerializationException"


@case
def client_tokens():
    """ClientToken: the same snapshot for the same parameters, ConflictException for others; another region is another cloud."""
    first = ebs.start_snapshot(VolumeSize=1, ClientToken="token-1", Description="a")
    assert ebs.start_snapshot(VolumeSize=1, ClientToken="token-1", Description="a")["SnapshotId"] == first["SnapshotId"]
    refused("ConflictException", ebs.start_snapshot, VolumeSize=1, ClientToken="token-1", Description="b")
    other = client("ebs", "eu-west-1").start_snapshot(VolumeSize=1, ClientToken="token-1", Description="a")
    assert other["SnapshotId"] != first["SnapshotId"]
    refused("ResourceNotFoundException", put, client("ebs", "eu-west-1"), first["SnapshotId"], 0, block(0), reason="SNAPSHOT_NOT_FOUND")
    ebs.complete_snapshot(SnapshotId=first["SnapshotId"], ChangedBlocksCount=0)
    assert ebs.start_snapshot(VolumeSize=1, ClientToken="token-1", Description="a")["Status"] == "completed"


@case
def parents():
    """ParentSnapshotId: it must be there, completed, private, not larger; Encrypted and keys do not go with it."""
    pending = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    parent = completed(ebs, {0: block("p")}, VolumeSize=2)
    refused("ValidationException", ebs.start_snapshot, VolumeSize=2, ParentSnapshotId=pending, reason="INVALID_SNAPSHOT_ID")
    refused("ResourceNotFoundException", ebs.start_snapshot, VolumeSize=2, ParentSnapshotId="snap-0123456789abcdef0")
    refused("ValidationException", ebs.start_snapshot, VolumeSize=1, ParentSnapshotId=parent, reason="INVALID_VOLUME_SIZE")
    for extra in ({"Encrypted": True}, {"Encrypted": False}, {"KmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/a"}):
        refused("ValidationException", ebs.start_snapshot, VolumeSize=2, ParentSnapshotId=parent, **extra)
    settings(encryption_by_default={"us-east-1": True})
    refused("ValidationException", ebs.start_snapshot, VolumeSize=2, ParentSnapshotId=parent)
    answer = ebs.start_snapshot(VolumeSize=1)
    assert answer["KmsKeyArn"].startswith("arn:aws:kms:us-east-1:111122223333:key/"), "encryption by default"
    ebs.complete_snapshot(SnapshotId=answer["SnapshotId"], ChangedBlocksCount=0)
    child = ebs.start_snapshot(VolumeSize=1, ParentSnapshotId=answer["SnapshotId"])
    assert child["KmsKeyArn"] == answer["KmsKeyArn"] and child["ParentSnapshotId"] == answer["SnapshotId"]
    settings(encryption_by_default={})
    ec2.modify_snapshot_attribute(SnapshotId=parent, CreateVolumePermission={"Add": [{"Group": "all"}]})
    refused("ValidationException", ebs.start_snapshot, VolumeSize=2, ParentSnapshotId=parent)


@case
def keys():
    """KmsKeyArn: of this region and known."""
    key = "arn:aws:kms:us-east-1:111122223333:key/0a"
    assert ebs.start_snapshot(VolumeSize=1, Encrypted=True, KmsKeyArn=key)["KmsKeyArn"] == key
    refused("ValidationException", ebs.start_snapshot, VolumeSize=1, Encrypted=True, reason="INVALID_CUSTOMER_KEY",
            KmsKeyArn=key.replace("us-east-1", "eu-west-1"))
    settings(kms_keys={"us-east-1": []})
    refused("ValidationException", ebs.start_snapshot, VolumeSize=1, Encrypted=True, KmsKeyArn=key, reason="INVALID_CUSTOMER_KEY")


@case
def put_block():
    """PutSnapshotBlock: length, checksum, algorithm, index, state, progress; again is allowed."""
    key, data = ebs.start_snapshot(VolumeSize=1)["SnapshotId"], block(1)
    answer = put(ebs, key, 2047, data, Progress=50)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201 and answer["Checksum"] == checksum(data)
    put(ebs, key, 2047, data)
    put(ebs, key, 2047, block(2))
    refused("ValidationException", put, ebs, key, 0, data[:-512], reason="INVALID_BLOCK")
    refused("ValidationException", put, ebs, key, 0, data[:-512], DataLength=BLOCK, reason="INVALID_BLOCK")
    refused("ValidationException", put, ebs, key, 0, data, DataLength=512, reason="INVALID_BLOCK")
    refused("ValidationException", put, ebs, key, 0, data, Checksum=checksum(b"x"), reason="INVALID_BLOCK")
    refused("ValidationException", put, ebs, key, 0, data, ChecksumAlgorithm="MD5")
    refused("ValidationException", put, ebs, key, 2048, data)
    refused("ValidationException", put, ebs, key, -1, data)
    refused("ValidationException", put, ebs, key, 0, data, Progress=101)
    refused("ResourceNotFoundException", put, ebs, "snap-0123456789abcdef0", 0, data, reason="SNAPSHOT_NOT_FOUND")
    refused("ValidationException", put, ebs, "vol-1", 0, data, reason="INVALID_SNAPSHOT_ID")
    headers = {"x-amz-Data-Length": str(BLOCK), "x-amz-Checksum": checksum(data), "x-amz-Checksum-Algorithm": "SHA256"}
    path = "/snapshots/%s/blocks/5" % key
    assert Raw("PUT", path, data, headers).send()[0] == 201, "a block with its own hash signed"
    assert Raw("PUT", path, data, headers, payload="UNSIGNED-PAYLOAD").send()[0] == 201
    assert Raw("PUT", path, data, {**headers, "x-amz-Block": "5"}).send()[1] == "ValidationException"
    assert Raw("PUT", path, data, {**headers, "Content-Encoding": "gzip"}).send()[1] == "ValidationException"
    assert Raw("PUT", path + "?progress=1", data, headers).send()[1] == "ValidationException"
    assert Raw("DELETE", path).send()[1] == "UnknownOperationException"
    assert control("GET", "blocks/" + key) == {"5": hashlib.sha256(data).hexdigest(), "2047": hashlib.sha256(block(2)).hexdigest()}


@case
def complete():
    """CompleteSnapshot: the count, the LINEAR checksum over raw digests by index, no more blocks afterwards."""
    key, data = ebs.start_snapshot(VolumeSize=1)["SnapshotId"], {9: block(9), 3: block(3), 4: bytes(BLOCK)}
    for index, content in data.items():
        put(ebs, key, index, content)
    right = linear(hashlib.sha256(data[i]).digest() for i in sorted(data))
    whole = {"SnapshotId": key, "ChangedBlocksCount": 3, "Checksum": right, "ChecksumAlgorithm": "SHA256",
             "ChecksumAggregationMethod": "LINEAR"}
    refused("ValidationException", ebs.complete_snapshot, SnapshotId=key, ChangedBlocksCount=2)
    refused("ValidationException", ebs.complete_snapshot, **{**whole, "Checksum": linear(hashlib.sha256(d).digest() for d in data.values())})
    refused("ValidationException", ebs.complete_snapshot, SnapshotId=key, ChangedBlocksCount=3, Checksum=right)
    refused("ResourceNotFoundException", ebs.complete_snapshot, SnapshotId="snap-0123456789abcdef0", ChangedBlocksCount=0)
    assert Raw("POST", "/snapshots/completion/" + key, b"{}", {"x-amz-ChangedBlocksCount": "3"}).send()[1] == "ValidationException"
    settings(complete_s=0.3)
    answer = ebs.complete_snapshot(**whole)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202 and answer["Status"] == "pending"
    refused("ValidationException", put, ebs, key, 5, block(5), reason="INVALID_SNAPSHOT_ID")
    refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=key)
    time.sleep(0.4)
    assert ec2.describe_snapshots(SnapshotIds=[key])["Snapshots"][0]["State"] == "completed"
    refused("ValidationException", ebs.complete_snapshot, **whole)


@case
def timeouts():
    """a snapshot that is left alone for its Timeout goes to error."""
    settings(scale=0.0005)
    key = ebs.start_snapshot(VolumeSize=1, Timeout=10)["SnapshotId"]
    time.sleep(0.4)
    assert ec2.describe_snapshots(SnapshotIds=[key])["Snapshots"][0]["State"] == "error"
    refused("ValidationException", put, ebs, key, 0, block(0), reason="INVALID_SNAPSHOT_ID")


@case
def pending_limit():
    """too many pending snapshots are ConcurrentLimitExceededException."""
    settings(pending_snapshots=0)
    refused("ConcurrentLimitExceededException", ebs.start_snapshot, VolumeSize=1)


@case
def listing():
    """ListSnapshotBlocks: pages, start index, tokens that belong to this listing and expire; GetSnapshotBlock gives the bytes."""
    data = {i * 3: block(i % 3) for i in range(250)}
    key, other = completed(ebs, data), completed(ebs, {0: block(0)})
    found, token, pages = [], None, 0
    while True:
        answer = ebs.list_snapshot_blocks(SnapshotId=key, MaxResults=100, **({"NextToken": token} if token else {}))
        found += [(b["BlockIndex"], b["BlockToken"]) for b in answer["Blocks"]]
        pages, token = pages + 1, answer.get("NextToken")
        if not token:
            break
        kept = token
    assert pages == 3 and [i for i, _ in found] == sorted(data) and answer["VolumeSize"] == 1 and answer["BlockSize"] == BLOCK
    assert [b["BlockIndex"] for b in ebs.list_snapshot_blocks(SnapshotId=key, StartingBlockIndex=740)["Blocks"]] == [741, 744, 747]
    got = ebs.get_snapshot_block(SnapshotId=key, BlockIndex=found[4][0], BlockToken=found[4][1])
    assert got["BlockData"].read() == block(1) and got["Checksum"] == checksum(block(1)) and got["DataLength"] == BLOCK
    for limit in (99, 10001):
        refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=key, MaxResults=limit)
    refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=key, NextToken="AAAA", reason="INVALID_PAGE_TOKEN")
    refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=other, NextToken=kept, reason="INVALID_PAGE_TOKEN")
    for index, token in ((found[5][0], found[4][1]), (found[4][0], "AAAA"), (1, found[4][1])):
        refused("ValidationException", ebs.get_snapshot_block, SnapshotId=key, BlockIndex=index, BlockToken=token,
                reason="INVALID_BLOCK_TOKEN")
    settings(page=5)
    assert len(ebs.list_snapshot_blocks(SnapshotId=key)["Blocks"]) == 5
    settings(scale=0.00001, page=10000)
    answer = ebs.list_snapshot_blocks(SnapshotId=key, MaxResults=100)
    time.sleep(0.2)
    refused("ValidationException", ebs.list_snapshot_blocks, SnapshotId=key, NextToken=answer["NextToken"], reason="INVALID_PAGE_TOKEN")


@case
def deltas():
    """a child has its parent's blocks and its own; ListChangedBlocks tells what was written, and refuses strangers."""
    parent = completed(ebs, {0: block("a"), 1: block("b"), 2: block("c")})
    child = completed(ebs, {1: block("B"), 2: bytes(BLOCK), 7: block("d")}, ParentSnapshotId=parent)
    changed = ebs.list_changed_blocks(FirstSnapshotId=parent, SecondSnapshotId=child)["ChangedBlocks"]
    assert [b["BlockIndex"] for b in changed] == [1, 2, 7]
    assert "FirstBlockToken" in changed[0] and "FirstBlockToken" not in changed[2] and "SecondBlockToken" in changed[2]
    assert [b["BlockIndex"] for b in ebs.list_snapshot_blocks(SnapshotId=child)["Blocks"]] == [0, 1, 2, 7]
    assert len(ebs.list_changed_blocks(SecondSnapshotId=child)["ChangedBlocks"]) == 4
    stranger = completed(ebs, {0: block("a")})
    refused("ValidationException", ebs.list_changed_blocks, FirstSnapshotId=stranger, SecondSnapshotId=child,
            reason="UNRELATED_SNAPSHOTS")
    ec2.delete_snapshot(SnapshotId=parent)
    refused("ResourceNotFoundException", ebs.list_snapshot_blocks, SnapshotId=parent)
    path = os.path.join(os.path.dirname(STATE), "volume")
    subprocess.run([sys.executable, "tests/fakecloud", "materialize", STATE, child, path], check=True, stdout=subprocess.DEVNULL)
    with open(path, "rb") as f:
        content = f.read(8 * BLOCK)
    wanted = [block("a"), block("B")] + [bytes(BLOCK)] * 5 + [block("d")]
    assert content == b"".join(wanted), "the child lost blocks of its parent, or got others"
    assert os.stat(path).st_size == 1 << 30


@case
def absent_blocks():
    """a block that was never written reads as zeros, but as garbage where the volume is encrypted."""
    key = completed(ebs, {0: block("a"), 2: bytes(BLOCK)}, Encrypted=True)
    plain = completed(ebs, {0: block("a")})
    path = os.path.join(os.path.dirname(STATE), "volume")

    def second(snapshot, *words):
        command = [sys.executable, "tests/fakecloud", "materialize", STATE, snapshot, path, *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(path, "rb") as f:
            f.seek(BLOCK)
            return f.read(2 * BLOCK)

    data = second(key)
    assert data[:BLOCK] != bytes(BLOCK) and data[BLOCK:] == bytes(BLOCK)
    assert second(plain) == bytes(2 * BLOCK)
    assert second(plain, "--encrypted")[:BLOCK] != bytes(BLOCK)
    os.unlink(path)


@case
def lags():
    """the planes disagree for a while: puts after the start, lists after the completion."""
    settings(start_lag_s=0.3)
    key = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    refused("ResourceNotFoundException", put, ebs, key, 0, block(0), reason="SNAPSHOT_NOT_FOUND")
    assert ec2.describe_snapshots(SnapshotIds=[key])["Snapshots"][0]["State"] == "pending"
    time.sleep(0.4)
    put(ebs, key, 0, block(0))
    settings(list_lag_s=0.3, start_lag_s=0)
    ebs.complete_snapshot(SnapshotId=key, ChangedBlocksCount=1)
    assert ec2.describe_snapshots(SnapshotIds=[key])["Snapshots"][0]["State"] == "completed"
    refused("ResourceNotFoundException", ebs.list_snapshot_blocks, SnapshotId=key)
    time.sleep(0.4)
    assert len(ebs.list_snapshot_blocks(SnapshotId=key)["Blocks"]) == 1


@case
def throttling():
    """requests beyond a rate are throttled, for the account and for each snapshot."""
    key = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]
    settings(throttle={"PutSnapshotBlock": 5})
    put(ebs, key, 0, block(0))
    refused("RequestThrottledException", lambda: [put(ebs, key, 0, block(0)) for _ in range(20)], reason="ACCOUNT_THROTTLED")
    settings(throttle={"PutSnapshotBlock:snapshot": 5, "DescribeImages": 1})
    refused("RequestThrottledException", lambda: [put(ebs, key, 0, block(0)) for _ in range(20)], reason="RESOURCE_LEVEL_THROTTLE")
    ec2.describe_images()
    refused("RequestLimitExceeded", lambda: [ec2.describe_images() for _ in range(20)])
    assert counter("throttled:PutSnapshotBlock") >= 1


@case
def corruption():
    """a defect of the cloud: data turned on the way does not match its checksum; data turned in the store does."""
    key = completed(ebs, {0: block("a")})
    token = ebs.list_snapshot_blocks(SnapshotId=key)["Blocks"][0]["BlockToken"]
    settings(faults=[{"action": "GetSnapshotBlock", "kind": "corrupt"}])
    got = ebs.get_snapshot_block(SnapshotId=key, BlockIndex=0, BlockToken=token)
    assert got["Checksum"] == checksum(block("a")) and got["BlockData"].read() != block("a")
    control("POST", "corrupt", {"snapshot": key, "block": 0, "byte": 7})
    got = ebs.get_snapshot_block(SnapshotId=key, BlockIndex=0, BlockToken=token)
    data = got["BlockData"].read()
    assert data != block("a") and got["Checksum"] == checksum(data)
    control("POST", "snapshot", {"id": key, "status": "error"})
    assert ec2.describe_snapshots(SnapshotIds=[key])["Snapshots"][0]["State"] == "error"


finish()
