# SPDX-License-Identifier: Apache-2.0
"""What the cases of fakecloud share: the control of a fake cloud, requests signed by botocore and then altered, and the counting of cases."""
import base64
import hashlib
import http.client
import json
import os
import sys
import traceback
import urllib.parse
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.config
import botocore.credentials
import botocore.exceptions
import botocore.session

URL = os.environ["CLOUD_URL"]
HOST = URL.partition("//")[2]
KEY, SECRET = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
ACCOUNT = "111122223333"
BLOCK = 524288
failed = 0


def case(function):
    """Runs it, prints "ok NAME" or "not ok NAME"; the name is the first line of its description."""
    global failed
    name = function.__doc__.splitlines()[0].rstrip(".")
    control("PATCH", "settings", {n: None for n in (
        "faults", "throttle", "latency", "latency_ms", "start_lag_s", "complete_s", "list_lag_s", "image_pending_s", "image_lag_s",
        "copy_s", "scale", "clock_offset_s", "page", "encryption_by_default", "kms_keys", "credentials", "roles", "session_s",
        "pending_snapshots", "fail_images", "fail_copies", "images", "capacity", "alarms", "refresh_stuck_s", "skew_code", "imds",
        "web_identity_tokens", "sso_tokens", "store")})
    try:
        function()
        print("ok " + name, flush=True)
    except Exception:  # pylint: disable=broad-except
        failed = 1
        print("not ok " + name)
        for line in traceback.format_exc().splitlines()[-12:]:
            print("    " + line, flush=True)
    return function


def finish():
    sys.exit(failed)


def control(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + "/_fake/" + path, data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def settings(**changes):
    control("PATCH", "settings", changes)


def counter(name):
    return control("GET", "counters").get(name, 0)


session = botocore.session.Session()


def client(service, region="us-east-1", key=KEY, secret=SECRET, token=None):
    """AWS's own client, which tries once."""
    return session.create_client(
        service, region_name=region, endpoint_url=URL, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
        config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=20, parameter_validation=False))


def refused(code, call, *args, reason=None, **kwargs):
    """The call must fail with this code (and EBS's Reason). Returns the error's message."""
    try:
        answer = call(*args, **kwargs)
    except botocore.exceptions.ClientError as e:
        got = e.response["Error"]["Code"]
        assert got == code, "%s instead of %s: %s" % (got, code, e)
        if reason:
            assert e.response.get("Reason") == reason, "reason %s instead of %s" % (e.response.get("Reason"), reason)
        return e.response["Error"]["Message"]
    raise AssertionError("accepted, expected %s: %s" % (code, answer))


class Raw:
    """One request signed by botocore. alter(headers) changes what was signed before it is sent."""

    def __init__(self, method, path, body=b"", headers=None, service="ebs", region="us-east-1", key=KEY, secret=SECRET, token=None,
                 payload=None):
        self.method, self.path, self.body = method, path, body
        request = botocore.awsrequest.AWSRequest(method=method, url=URL + path, data=body, headers=headers or {})
        credentials = botocore.credentials.Credentials(key, secret, token)
        if payload:
            request.headers["X-Amz-Content-SHA256"] = payload
        botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
        self.headers = dict(request.headers.items())

    def send(self, body=None, **changes):
        """Headers of changes are put in (underscores are hyphens), or left out when None. Returns (status, code, body)."""
        headers = dict(self.headers)
        for name, value in changes.items():
            name = name.replace("_", "-")
            headers = {k: v for k, v in headers.items() if k.lower() != name.lower()}
            if value is not None:
                headers[name] = value
        connection = http.client.HTTPConnection(HOST, timeout=20)
        try:
            connection.request(self.method, self.path, self.body if body is None else body, headers)
            answer = connection.getresponse()
            data = answer.read()
            self.answer = answer
            return answer.status, error_code(answer, data), data
        finally:
            connection.close()


def error_code(answer, data):
    code = answer.headers.get("x-amzn-ErrorType")
    if code is None and b"<Code>" in data:
        code = data.split(b"<Code>")[1].split(b"</Code>")[0].decode()
    if code is None and b'"__type"' in data:
        code = json.loads(data)["__type"]
    return code


def form(action, version="2016-11-15", service="ec2", body=None, **parameters):
    """A form that botocore signs but did not make."""
    text = body or urllib.parse.urlencode({"Action": action, "Version": version, **parameters})
    return Raw("POST", "/", text.encode(), {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, service).send()


def checksum(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def block(seed):
    return hashlib.shake_128(str(seed).encode()).digest(BLOCK)


def put(ebs, snapshot, index, data, **changes):
    """PutSnapshotBlock with what belongs to the data, unless changes say otherwise."""
    parameters = {"SnapshotId": snapshot, "BlockIndex": index, "BlockData": data, "DataLength": len(data), "Checksum": checksum(data),
                  "ChecksumAlgorithm": "SHA256", **changes}
    return ebs.put_snapshot_block(**parameters)


def linear(digests):
    return base64.b64encode(hashlib.sha256(b"".join(digests)).digest()).decode()


def completed(ebs, blocks, **parameters):
    """A completed snapshot of {index: data}; returns its id."""
    key = ebs.start_snapshot(**{"VolumeSize": 1, **parameters})["SnapshotId"]
    for index, data in blocks.items():
        put(ebs, key, index, data)
    ebs.complete_snapshot(SnapshotId=key, ChangedBlocksCount=len(blocks))
    return key
