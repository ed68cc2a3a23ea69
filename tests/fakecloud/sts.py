# SPDX-License-Identifier: Apache-2.0
"""STS (2011-06-15): who am I, and roles. Roles of the settings: ARN -> {"trust": [ARN of a caller or "*"], "external_id", "policy",
"deny"}; web identity tokens: token -> [role ARNs]. session_s: how long a session really lasts, whatever was asked for."""
import re
import secrets
import time

import access
import query
from answers import ApiError, iso, query_answer

VERSION = "2011-06-15"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
POLICY_ARNS = [{"arn": "str"}]
SHAPES = {
    "GetCallerIdentity": {},
    "AssumeRole": {
        "RoleArn!": "str", "RoleSessionName!": "str", "DurationSeconds": "int", "ExternalId": "str", "Policy": "str",
        "PolicyArns": POLICY_ARNS, "Tags": [{"Key!": "str", "Value!": "str"}], "TransitiveTagKeys": ["str"],
        "SerialNumber": "str", "TokenCode": "str", "SourceIdentity": "str"},
    "AssumeRoleWithWebIdentity": {
        "RoleArn!": "str", "RoleSessionName!": "str", "WebIdentityToken!": "str", "ProviderId": "str",
        "PolicyArns": POLICY_ARNS, "Policy": "str", "DurationSeconds": "int"},
}


def query_action(request):
    """The Action of a form, for logs and faults; whether it is one is checked later."""
    match = re.search(rb"(?:^|&)Action=([A-Za-z]+)", bytes(request.body[:65536]))
    return match[1].decode() if match else "UnknownAction"


def is_unsigned(request):
    """The one call of a form that carries its proof in the form."""
    return ("authorization" not in request.headers and request.method == "POST" and request.path == "/"
            and request.info["action"] == "AssumeRoleWithWebIdentity")


def new_session(world, role_arn, session, duration, role):
    """Temporary credentials of a role, kept with the state."""
    account = role_arn.split(":")[4]
    name = role_arn.partition("role/")[2].rpartition("/")[2]
    lasts = world.settings["session_s"] if world.settings["session_s"] is not None else duration
    credential = {
        "key": "ASIA" + secrets.token_hex(8).upper(), "secret": secrets.token_urlsafe(30),
        "token": "FwoGZXIvYXdz//////+" + secrets.token_urlsafe(60) + "==", "account": account,
        "expires": time.time() + lasts, "user_id": "AROAFAKE" + account + ":" + session,
        "arn": "arn:aws:sts::%s:assumed-role/%s/%s" % (account, name, session),
    }
    for member in ("deny", "policy"):
        if member in role:
            credential[member] = role[member]
    world.store.save("sessions", credential["key"], credential)
    return credential


class Service:
    def __init__(self, world):
        self.world = world

    def answer(self, request, caller):
        action, parameters = query.parse(query.fields(request), SHAPES, VERSION, True)
        with self.world.lock:
            return query_answer(action, getattr(self, action)(caller, parameters), NAMESPACE)

    def GetCallerIdentity(self, caller, _):
        return {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}

    def assumed(self, parameters, role):
        duration = parameters.get("DurationSeconds", 3600)
        session = parameters["RoleSessionName"]
        if not 900 <= duration <= 43200:
            raise ApiError("ValidationError", "DurationSeconds is 900 to 43200")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", session):
            raise ApiError("ValidationError", "RoleSessionName is 2 to 64 of [\\w+=,.@-]")
        credential = new_session(self.world, parameters["RoleArn"], session, duration, role)
        return {
            "Credentials": {"AccessKeyId": credential["key"], "SecretAccessKey": credential["secret"],
                            "SessionToken": credential["token"], "Expiration": iso(credential["expires"])},
            "AssumedRoleUser": {"AssumedRoleId": credential["user_id"], "Arn": credential["arn"]},
        }

    def AssumeRole(self, caller, parameters):
        arn = parameters["RoleArn"]
        access.authorize(caller, "sts:AssumeRole", arn)
        role = self.world.settings["roles"].get(arn)
        trusted = role is not None and access.matches(role.get("trust", ["*"]), caller.arn)
        if not trusted or role.get("external_id") != parameters.get("ExternalId"):
            raise access.access_error("denied", "sts", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s"
                                      % (caller.arn, arn))
        return self.assumed(parameters, role)

    def AssumeRoleWithWebIdentity(self, _, parameters):
        arn = parameters["RoleArn"]
        roles = self.world.settings["web_identity_tokens"].get(parameters["WebIdentityToken"])
        if roles is None:
            raise ApiError("InvalidIdentityToken", "No OpenIDConnect provider found in your account for this token")
        if arn not in roles:
            raise ApiError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        return {"SubjectFromWebIdentityToken": "subject", "Audience": "sts.amazonaws.com", "Provider": "fake",
                **self.assumed(parameters, self.world.settings["roles"].get(arn, {}))}
