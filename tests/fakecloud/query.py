# SPDX-License-Identifier: Apache-2.0
"""Forms of the ec2 and query protocols: "Filter.1.Value.2=x" and "Tags.member.1.Key=x" into nested objects, checked by a shape.

A shape: "str", "int", "bool", "time", [shape] for a list, {"Name": shape} for a structure; a name that ends with "!" must be there.
A name that the shape has not is an error: the services themselves ignore some, which hides mistakes.
"""
import calendar
import re
import time
import urllib.parse

from answers import ApiError


def fields(request):
    """The pairs of the form, as a dict."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0] != "application/x-www-form-urlencoded":
        raise ApiError("InvalidRequest", "the Content-Type '%s' is not application/x-www-form-urlencoded" % kind)
    try:
        text = bytes(request.body).decode("ascii")
        pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), errors="strict")
    except ValueError as e:
        raise ApiError("MalformedQueryString", "the form cannot be read: %s" % e) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise ApiError("InvalidParameterCombination", "a parameter is there twice")
    return form


def scalar(name, kind, value):
    if kind == "str":
        return value
    if kind == "int" and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    if kind == "bool" and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if kind == "time":
        try:
            return calendar.timegm(time.strptime(re.sub(r"\.[0-9]{1,9}Z\Z", "Z", value), "%Y-%m-%dT%H:%M:%SZ"))
        except ValueError:
            pass
    raise ApiError("InvalidParameterValue", "the value '%s' of %s is not %s" % (value, name, kind))


def by_first(pairs):
    groups = {}
    for path, value in pairs:
        head, _, rest = path.partition(".")
        groups.setdefault(head, []).append((rest, value))
    return groups


def read_list(name, shape, pairs, members):
    # An empty list is written "Name=" (botocore's query serializer).
    if members and pairs == [("", "")]:
        return []
    groups = by_first(pairs)
    if members:
        if set(groups) != {"member"}:
            raise ApiError("InvalidParameterValue", "%s is a list: %s.member.N" % (name, name))
        groups = by_first(groups["member"])
    if sorted(groups, key=lambda k: (len(k), k)) != [str(i + 1) for i in range(len(groups))]:
        raise ApiError("InvalidParameterValue", "%s is a list, numbered from 1 without a gap" % name)
    return [read(name, shape, groups[str(i + 1)], members) for i in range(len(groups))]


def read(name, shape, pairs, members):
    if isinstance(shape, list):
        return read_list(name, shape[0], pairs, members)
    if isinstance(shape, str):
        if len(pairs) != 1 or pairs[0][0]:
            raise ApiError("InvalidParameterValue", "%s is a single value" % name)
        return scalar(name, shape, pairs[0][1])
    groups, result = by_first(pairs), {}
    required = {k.rstrip("!"): k.endswith("!") for k in shape}
    for key, rest in groups.items():
        if key not in required:
            raise ApiError("UnknownParameter", "The parameter %s is not recognized" % ((name + "." if name else "") + key))
        kind = shape[key + "!" if required[key] else key]
        result[key] = read((name + "." if name else "") + key, kind, rest, members)
    for key, must in required.items():
        if must and key not in result:
            raise ApiError("MissingParameter", "The request must contain the parameter %s"
                           % ((name + "." if name else "") + key))
    return result


def parse(form, shapes, version, members):
    """Returns (action, parameters). shapes: action -> shape; members: lists are written with ".member."."""
    action = form.get("Action", "")
    if action not in shapes:
        raise ApiError("InvalidAction", "The action %s is not valid for this web service." % action)
    if form.get("Version") != version:
        raise ApiError("InvalidParameterValue", "Version '%s' is not %s" % (form.get("Version"), version))
    rest = [(k, v) for k, v in form.items() if k not in ("Action", "Version")]
    return action, read("", shapes[action], rest, members)
