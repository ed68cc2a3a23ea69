# SPDX-License-Identifier: Apache-2.0
"""Opaque tokens of EBS direct: what they stand for, sealed by the cloud's secret. Base64, so with '+', '/' and '='."""
import base64
import hmac
import json
import struct
import time

from answers import ApiError


def mac(world, kind, scope, packed):
    return hmac.digest(world.secret, json.dumps([kind, scope]).encode() + packed, "sha256")


def seal(world, kind, scope, value, expiry):
    """At most 256 characters, as the model says. scope: JSON that must be the same at unseal()."""
    packed = struct.pack("<Qd", value, expiry)
    return base64.b64encode(b"\xfb\xff\xbe" + packed + mac(world, kind, scope, packed) + b"\0").decode()


def unseal(world, kind, scope, token, reason):
    try:
        raw = base64.b64decode(token, validate=True)
        packed = raw[3:19]
        value, expiry = struct.unpack("<Qd", packed)
        good = raw[:3] == b"\xfb\xff\xbe" and hmac.compare_digest(raw[19:], mac(world, kind, scope, packed) + b"\0")
    except (ValueError, struct.error):
        good = False
    if not good:
        raise ApiError("ValidationException", "The token is not valid.", 400, reason)
    if time.time() > expiry:
        raise ApiError("ValidationException", "The token is expired.", 400, reason)
    return value
