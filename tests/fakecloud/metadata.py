# SPDX-License-Identifier: Apache-2.0
"""What an instance or a container asks for credentials: IMDSv2 (v1 is refused), the container endpoint, the SSO portal.

Formats: EC2 User Guide "Use the Instance Metadata Service", ECS "Task IAM role", SSO GetRoleCredentials.
"""
import secrets
import time

import sts
from answers import Answer, ApiError, iso, json_answer

CONTAINER = "/container/credentials"


def serves(request):
    return request.path.startswith(("/latest/", "/container/", "/federation/"))


def action_of(request):
    if request.path.startswith("/latest/"):
        return "Imds"
    return "ContainerCredentials" if request.path.startswith("/container/") else "GetRoleCredentials"


def plain(text, status=200):
    return Answer(status, text.encode(), {"Content-Type": "text/plain"})


class Service:
    def __init__(self, world):
        self.world = world
        self.tokens = {}

    def answer(self, request):
        if request.info["action"] is None or request.path.startswith("/latest/"):
            request.info["action"] = action_of(request)
        with self.world.lock:
            if request.path.startswith("/latest/"):
                return self.imds(request)
            if request.path.startswith("/container/"):
                return self.container(request)
            return self.sso(request)

    def session(self, role, path="role"):
        """A session that is used again while it has half of its life left, as the service does."""
        name = "metadata:" + role
        kept = self.world.store.get("metadata", name)
        if kept and kept["expires"] > time.time() + kept["lasts"] / 2:
            return kept
        settings = self.world.settings
        account = next(iter(settings["credentials"].values()))["account"]
        arn = role if role.startswith("arn:") else "arn:aws:iam::%s:%s/%s" % (account, path, role)
        kept = sts.new_session(self.world, arn, "i-0123456789abcdef0", 21600, settings["roles"].get(arn, {}))
        kept = {**kept, "lasts": kept["expires"] - time.time()}
        self.world.store.save("metadata", name, kept)
        return kept

    def imds(self, request):
        settings = self.world.settings["imds"]
        path, headers = request.path[len("/latest"):], request.headers
        if settings.get("refuse"):
            return plain("", 403)
        if "x-forwarded-for" in headers:
            return plain("", 403)
        if path == "/api/token":
            ttl = headers.get("x-aws-ec2-metadata-token-ttl-seconds", "")
            if request.method != "PUT":
                return plain("", 405)
            if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
                return plain("", 400)
            token = secrets.token_urlsafe(40) + "=="
            self.tokens[token] = time.time() + int(ttl)
            answer = plain(token)
            answer.headers["X-aws-ec2-metadata-token-ttl-seconds"] = ttl
            return answer
        if self.tokens.get(headers.get("x-aws-ec2-metadata-token"), 0) < time.time():
            self.world.count("imds:without-token")
            return plain("", 401)
        role, base = settings.get("role"), "/meta-data/iam/security-credentials/"
        if path == base and role:
            return plain(role)
        if role and path == base + role:
            s = self.session(role)
            return json_answer({"Code": "Success", "LastUpdated": iso(time.time()), "Type": "AWS-HMAC", "AccessKeyId": s["key"],
                                "SecretAccessKey": s["secret"], "Token": s["token"], "Expiration": iso(s["expires"])})
        if path == "/meta-data/placement/region":
            return plain(settings["region"])
        if path == "/meta-data/placement/availability-zone":
            return plain(settings["region"] + "a")
        if path == "/dynamic/instance-identity/document":
            return json_answer({"region": settings["region"], "instanceId": "i-0123456789abcdef0"})
        return plain("", 404)

    def container(self, request):
        if request.headers.get("authorization") != self.world.settings["container_token"]:
            return json_answer({"code": "AccessDenied", "message": "wrong or no Authorization"}, 403)
        if request.path != CONTAINER:
            return json_answer({"code": "NotFound", "message": request.path}, 404)
        s = self.session("container-role")
        return json_answer({"RoleArn": s["arn"], "AccessKeyId": s["key"], "SecretAccessKey": s["secret"], "Token": s["token"],
                            "Expiration": iso(s["expires"])})

    def sso(self, request):
        """GET /federation/credentials?role_name=R&account_id=A, header x-amz-sso_bearer_token; not signed."""
        from urllib.parse import parse_qsl
        query = dict(parse_qsl(request.query))
        allowed = self.world.settings["sso_tokens"].get(request.headers.get("x-amz-sso_bearer_token"))
        if allowed is None:
            return json_answer({"message": "Session token not found or invalid"}, 401,
                               {"x-amzn-ErrorType": "UnauthorizedException"})
        if set(query) != {"role_name", "account_id"}:
            raise ApiError("InvalidRequestException", "role_name and account_id")
        arn = "arn:aws:iam::%s:role/%s" % (query["account_id"], query["role_name"])
        if arn not in allowed:
            return json_answer({"message": "No access"}, 403, {"x-amzn-ErrorType": "ForbiddenException"})
        s = self.session(arn)
        return json_answer({"roleCredentials": {"accessKeyId": s["key"], "secretAccessKey": s["secret"],
                                                "sessionToken": s["token"], "expiration": int(s["expires"] * 1000)}})
