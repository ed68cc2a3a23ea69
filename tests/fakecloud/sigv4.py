# SPDX-License-Identifier: Apache-2.0
"""Checks of AWS Signature Version 4 ("Authenticating Requests", the General Reference), stricter than the cloud itself.

Written from the specification; shares no code with the client that it checks.
"""
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

UNRESERVED = "-_.~"
EMPTY = hashlib.sha256(b"").hexdigest()
FORM = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})\Z"
)


class Refused(Exception):
    """kind: missing, malformed, unknown, signature, skew, payload."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind, self.message = kind, message


class Signed:
    """Who signed, where for, and when."""

    __slots__ = ("key", "region", "service", "time", "canonical")


def encode(text):
    return urllib.parse.quote(text, safe=UNRESERVED)


def canonical_query(raw):
    if not raw:
        return ""
    pairs = []
    for part in raw.split("&"):
        name, _, value = part.partition("=")
        if "+" in part:
            raise Refused("malformed", "'+' in the query string is not percent-encoded")
        pairs.append((encode(urllib.parse.unquote(name)), encode(urllib.parse.unquote(value))))
    return "&".join("%s=%s" % pair for pair in sorted(pairs))


def canonical_request(request, signed_headers, payload):
    lines = [request.method, urllib.parse.quote(request.path, safe="/" + UNRESERVED), canonical_query(request.query)]
    for name in signed_headers:
        lines.append("%s:%s" % (name, re.sub(" +", " ", request.headers[name].strip())))
    return "\n".join(lines + ["", ";".join(signed_headers), payload])


_keys = {}


def signing_key(secret, date, region, service):
    where = (secret, date, region, service)
    if where not in _keys:
        key = ("AWS4" + secret).encode()
        for word in (date, region, service, "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        _keys[where] = key
    return _keys[where]


def parse_time(text):
    try:
        return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise Refused("malformed", "X-Amz-Date '%s' is not of the form YYYYMMDDTHHMMSSZ" % text) from None


def payload_hash(request, unsigned_allowed):
    """The hash that goes into the signature; the body's own is kept in request.digest (bytes).

    AWS's own clients send UNSIGNED-PAYLOAD with blocks, without TLS too; a hash is accepted as well.
    """
    request.digest = hashlib.sha256(request.body).digest()
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed is None:
        return request.digest.hex()
    if claimed == "UNSIGNED-PAYLOAD":
        if not unsigned_allowed:
            raise Refused("payload", "UNSIGNED-PAYLOAD is for PutSnapshotBlock only")
        return claimed
    if claimed != request.digest.hex():
        raise Refused("payload", "the provided x-amz-content-sha256 header does not match what was computed")
    return claimed


def must_be_signed(request):
    for name in request.headers:
        if name.startswith("x-amz-") or name in ("host", "content-type", "content-md5"):
            yield name


def verify(request, find_secret, now, skew_limit, unsigned_allowed):
    """Returns a Signed, or raises Refused. find_secret(key) gives the secret, or None; now: seconds since 1970."""
    authorization = request.headers.get("authorization")
    if authorization is None:
        raise Refused("missing", "the request has no Authorization header")
    form = FORM.match(authorization)
    if not form:
        raise Refused("malformed", "Authorization header: '%s'" % authorization[:200])
    signed = Signed()
    signed.key, date, signed.region, signed.service, names, signature = form.groups()
    names = names.split(";")
    if names != sorted(set(names)):
        raise Refused("malformed", "SignedHeaders are not sorted")
    for name in names:
        if name not in request.headers:
            raise Refused("malformed", "the signed header '%s' is not there" % name)
    for name in must_be_signed(request):
        if name not in names:
            raise Refused("malformed", "the header '%s' is not signed" % name)
    stamp = request.headers.get("x-amz-date")
    if stamp is None:
        raise Refused("malformed", "no X-Amz-Date header")
    signed.time = parse_time(stamp)
    if stamp[:8] != date:
        raise Refused("malformed", "the date of the scope is not the date of the request")
    secret = find_secret(signed.key)
    if secret is None:
        raise Refused("unknown", "no such access key: %s" % signed.key)
    payload = payload_hash(request, unsigned_allowed)
    signed.canonical = canonical_request(request, names, payload)
    scope = "/".join((date, signed.region, signed.service, "aws4_request"))
    to_sign = "\n".join(
        ("AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(signed.canonical.encode("latin-1")).hexdigest())
    )
    key = signing_key(secret, date, signed.region, signed.service)
    if not hmac.compare_digest(hmac.digest(key, to_sign.encode(), "sha256").hex(), signature):
        raise Refused("signature", "the signature does not match; the canonical request should have been\n'%s'"
                      % signed.canonical)
    if abs(signed.time - now) > skew_limit:
        past = "earlier" if signed.time < now else "later"
        raise Refused("skew", "Signature expired: %s is now %s than %s" % (
            stamp, past, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))))
    return signed
