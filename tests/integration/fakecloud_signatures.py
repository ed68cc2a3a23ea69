# SPDX-License-Identifier: Apache-2.0
"""Compares the signature of every accepted request in a fake cloud's log with the one that botocore makes for the same request.

fakecloud_signatures.py WHO LEAST    WHO: a part of the User-Agent whose requests are compared; LEAST: how many kinds of action there must be.
"""
import sys

import botocore.auth
import botocore.awsrequest
import botocore.credentials

from fakecloud_client import control

WHO, LEAST = sys.argv[1], int(sys.argv[2])


def signature(entry, secret, token):
    """What botocore signs with the headers that were signed, at that time."""
    scope, names, _ = (p.partition("=")[2] for p in entry["headers"]["authorization"].replace(",", "").split(" ")[1:])
    key, _, region, service, _ = scope.split("/")
    headers = {n: entry["headers"][n] for n in names.split(";") if n not in ("host", "x-amz-date", "x-amz-security-token")}
    body = entry.get("body", "").encode()
    if "body" not in entry and "x-amz-content-sha256" not in headers:
        # The block is not kept: its hash is what it was checked against.
        headers["x-amz-content-sha256"] = entry["digest"]
    scheme = "https" if entry["tls"] else "http"
    request = botocore.awsrequest.AWSRequest(
        method=entry["method"], url="%s://%s%s" % (scheme, entry["headers"]["host"], entry["target"]), data=body, headers=headers)
    auth = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret, token), service, region)
    request.context["timestamp"] = entry["headers"]["x-amz-date"]
    request.headers["X-Amz-Date"] = entry["headers"]["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    canonical = auth.canonical_request(request)
    if "body" not in entry and "x-amz-content-sha256" not in names:
        canonical = canonical.replace("x-amz-content-sha256:%s\n" % entry["digest"], "").replace("x-amz-content-sha256;", "")
    signed = auth.signature(auth.string_to_sign(request, canonical), request)
    return signed, ";".join(sorted(n.lower() for n in auth.headers_to_sign(request)))


credentials = dict(control("GET", "settings")["credentials"])
credentials.update(control("GET", "objects/sessions"))
actions, failed = {}, 0
for entry in control("GET", "log"):
    if WHO not in entry.get("headers", {}).get("user-agent", "") or "canonical" not in entry:
        continue
    credential = credentials[entry["key"]]
    wanted, names = signature(entry, credential["secret"], credential.get("token"))
    if wanted not in entry["headers"]["authorization"]:
        failed += 1
        print("%s: botocore signs %s over %s\n%s" % (entry["action"], wanted, names, entry["canonical"]))
    actions[entry["action"]] = actions.get(entry["action"], 0) + 1
print("%d requests of %d actions: %s" % (sum(actions.values()), len(actions), " ".join(sorted(actions))))
sys.exit(1 if failed or len(actions) < LEAST else 0)
