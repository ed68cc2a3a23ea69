# SPDX-License-Identifier: Apache-2.0
"""Who asks, and whether he may: keys, session tokens, and the subset of IAM policies that mkappliance aws-policy writes.

A credential of the settings: {"secret", "account", "arn", "token", "expires", "deny": ["ec2:Register*"], "policy": {...}}.
Without a policy everything is allowed but what deny names. Format: IAM's "JSON policy elements".
"""
import fnmatch
import hmac
import time

import sigv4
from answers import ApiError


class Caller:
    __slots__ = ("key", "account", "arn", "region", "service", "credential", "user_id")

    def __init__(self, signed, credential):
        self.key, self.region, self.service = signed.key, signed.region, signed.service
        self.account, self.arn, self.credential = credential["account"], credential["arn"], credential
        self.user_id = credential.get("user_id", "AIDAFAKE" + self.account)


SERVICE_ERRORS = {
    # kind: (ec2, rest-json and json, query); each (code, status)
    "missing": (("AuthFailure", 401), ("MissingAuthenticationTokenException", 403), ("MissingAuthenticationToken", 403)),
    "malformed": (("AuthFailure", 401), ("IncompleteSignatureException", 400), ("IncompleteSignature", 400)),
    "unknown": (("AuthFailure", 401), ("UnrecognizedClientException", 403), ("InvalidClientTokenId", 403)),
    "signature": (("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 403), ("SignatureDoesNotMatch", 403)),
    "payload": (("SignatureDoesNotMatch", 403), ("InvalidSignatureException", 403), ("SignatureDoesNotMatch", 403)),
    "skew": (("RequestExpired", 400), ("InvalidSignatureException", 403), ("SignatureDoesNotMatch", 403)),
    "token": (("AuthFailure", 401), ("UnrecognizedClientException", 403), ("InvalidClientTokenId", 403)),
    "expired": (("RequestExpired", 400), ("ExpiredTokenException", 403), ("ExpiredToken", 403)),
    "denied": (("UnauthorizedOperation", 403), ("AccessDeniedException", 403), ("AccessDenied", 403)),
}


def family(service):
    return 0 if service == "ec2" else 1 if service in ("ebs", "ssm") else 2


def access_error(kind, service, message, code=None):
    name, status = SERVICE_ERRORS[kind][family(service)]
    reason = "UNAUTHORIZED_ACCOUNT" if kind == "denied" and service == "ebs" else None
    return ApiError(code or name, message, status, reason)


def find_credential(world, key):
    return world.settings["credentials"].get(key) or world.store.get("sessions", key)


def guess_service(request):
    """The service of a request that has no readable signature."""
    authorization = request.headers.get("authorization", "")
    parts = authorization.partition("Credential=")[2].split("/")
    if len(parts) > 3:
        return parts[3]
    return "ebs" if request.path.startswith("/snapshots") else "sts"


def identify(world, request):
    """Checks signature, time, session token. Returns a Caller."""
    service = guess_service(request)
    unsigned = request.method == "PUT" and request.path.startswith("/snapshots/")
    try:
        signed = sigv4.verify(
            request, lambda key: (find_credential(world, key) or {}).get("secret"), world.wall(),
            world.settings["skew_limit_s"], unsigned)
    except sigv4.Refused as e:
        world.count("refused:" + e.kind)
        code = world.settings["skew_code"] if e.kind == "skew" else None
        raise access_error(e.kind, service, e.message, code) from None
    credential = find_credential(world, signed.key)
    token, wanted = request.headers.get("x-amz-security-token"), credential.get("token")
    if (token is None) != (wanted is None) or token and not hmac.compare_digest(token.encode(), wanted.encode()):
        raise access_error("token", service, "The security token included in the request is invalid.")
    if credential.get("expires") is not None and credential["expires"] <= time.time():
        raise access_error("expired", service, "The security token included in the request is expired")
    request.info["canonical"] = signed.canonical
    host = request.headers["host"].split(":")[0]
    if host.endswith(".amazonaws.com") and signed.region not in host.split("."):
        raise access_error("signature", service, "Credential should be scoped to a valid region, not '%s'" % signed.region)
    return Caller(signed, credential)


def matches(patterns, value):
    if isinstance(patterns, str):
        patterns = [patterns]
    return any(fnmatch.fnmatchcase(value.lower(), p.lower()) for p in patterns)


def condition_holds(condition, context):
    for operator, keys in condition.items():
        name, _, if_exists = operator.partition("IfExists")
        for key, wanted in keys.items():
            wanted = [wanted] if isinstance(wanted, str) else wanted
            have = context.get(key)
            if have is None:
                if operator.endswith("IfExists"):
                    continue
                return False
            if name == "StringEquals":
                held = have in wanted
            elif name == "StringLike":
                held = any(fnmatch.fnmatchcase(have, w) for w in wanted)
            elif name == "Bool":
                held = have.lower() in [w.lower() for w in wanted]
            else:
                raise ValueError("condition operator %s is not known to this cloud" % operator)
            if not held:
                return False
    return True


def policy_allows(policy, action, resource, context):
    allowed = False
    for statement in policy["Statement"]:
        if not matches(statement["Action"], action):
            continue
        if resource != "*" and not matches(statement["Resource"], resource):
            continue
        if resource == "*" and not matches(statement["Resource"], "*"):
            continue
        if not condition_holds(statement.get("Condition", {}), context):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed


def authorize(caller, action, resource="*", tags=None, request_tags=None):
    """action as ec2:RegisterImage. tags: those the resource has; request_tags: those it would get. Raises when denied."""
    credential = caller.credential
    denied = matches(credential.get("deny", []), action)
    if not denied and credential.get("policy"):
        context = {"aws:RequestedRegion": caller.region, "aws:PrincipalArn": caller.arn}
        context.update(("aws:ResourceTag/" + k, v) for k, v in (tags or {}).items())
        context.update(("ec2:ResourceTag/" + k, v) for k, v in (tags or {}).items())
        context.update(("aws:RequestTag/" + k, v) for k, v in (request_tags or {}).items())
        denied = not policy_allows(credential["policy"], action, resource, context)
    if denied:
        raise access_error(
            "denied", caller.service,
            "User: %s is not authorized to perform: %s on resource: %s" % (caller.arn, action, resource))
