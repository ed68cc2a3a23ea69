# SPDX-License-Identifier: Apache-2.0
"""What a service answers: an Answer, or an ApiError that each protocol writes in its own way.

Formats: AWS's own models (botocore): rest-json (EBS), json 1.1 (SSM), query (STS, Auto Scaling, ELBv2), ec2.
"""
import datetime
import json
import uuid
from xml.sax.saxutils import escape


class ApiError(Exception):
    """An error of the API. reason: EBS's Reason member. headers: further ones, as Retry-After."""

    def __init__(self, code, message, status=400, reason=None, headers=None):
        super().__init__(message)
        self.code, self.message, self.status, self.reason = code, message, status, reason
        self.headers = headers or {}


class Answer:
    """status, headers and body (bytes or memoryview) of an answer; sent as it is."""

    __slots__ = ("status", "headers", "body", "code")

    def __init__(self, status=200, body=b"", headers=None, code=""):
        self.status, self.body, self.code = status, body, code
        self.headers = headers if headers is not None else {}


def iso(t):
    """Seconds since 1970 as EC2 writes a time."""
    moment = datetime.datetime.fromtimestamp(t, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (moment.microsecond // 1000)


def request_id():
    return str(uuid.uuid4())


def json_answer(document, status=200, headers=None, kind="application/json"):
    return Answer(status, json.dumps(document).encode(), {"Content-Type": kind, **(headers or {})})


def element(name, value, item):
    """value as XML: a dict's members as elements, a list's as <item>; None is left out."""
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(element(k, v, item) for k, v in value.items())
    elif isinstance(value, (list, tuple)):
        inner = "".join(element(item, v, item) for v in value)
    elif isinstance(value, bool):
        inner = "true" if value else "false"
    else:
        inner = escape(str(value))
    return "<%s>%s</%s>" % (name, inner, name)


def xml_answer(text, status=200, headers=None):
    return Answer(
        status, b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode(),
        {"Content-Type": "text/xml;charset=UTF-8", **(headers or {})},
    )


def ec2_answer(action, document):
    inner = "".join(element(k, v, "item") for k, v in {"requestId": request_id(), **document}.items())
    return xml_answer(
        '<%sResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">%s</%sResponse>' % (action, inner, action)
    )


def query_answer(action, document, namespace):
    """document None: the operation has no result."""
    result = "" if document is None else element(action + "Result", document, "member")
    return xml_answer(
        '<%sResponse xmlns="%s">%s<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>'
        % (action, namespace, result, request_id(), action)
    )


def error_answer(error, service):
    """An ApiError in the format of the service that was asked."""
    number = request_id()
    headers = {"x-amzn-RequestId": number, **error.headers}
    if service == "ec2":
        body = {"Errors": [{"Code": error.code, "Message": error.message}], "RequestID": number}
        answer = xml_answer(element("Response", body, "Error"), error.status, headers)
    elif service in ("ebs", "ssm"):
        body = {"message": error.message}
        if error.reason:
            body["Reason"] = error.reason
        if service == "ssm":
            body["__type"] = error.code
        else:
            headers["x-amzn-ErrorType"] = error.code
        kind = "application/x-amz-json-1.1" if service == "ssm" else "application/json"
        answer = json_answer(body, error.status, headers, kind)
    else:
        kind = "Receiver" if error.status >= 500 else "Sender"
        body = {"Error": {"Type": kind, "Code": error.code, "Message": error.message}, "RequestId": number}
        answer = xml_answer(element("ErrorResponse", body, "member"), error.status, headers)
    answer.code = error.code
    return answer
