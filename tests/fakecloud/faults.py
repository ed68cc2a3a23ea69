# SPDX-License-Identifier: Apache-2.0
"""Failures that a test orders. Each is an object of the setting "faults":

{"action": "PutSnapshotBlock",   glob; a form's action is known only when its body has been read
 "kind": "error" | "reset" | "stall" | "close" | "cut" | "delay" | "late" | "hang" | "corrupt",
 "count": N,                     how often, default 1, 0 for ever
 "skip": N,                      lets N such requests pass first
 "every": N,                     only every Nth
 "code", "status", "reason", "message", "retry_after"   of an error; default InternalServerException 500
 "at": BYTES, "seconds": S}

reset: RST in the middle of the request's body (at). stall: reads the body, then says nothing for S seconds. close: ends the connection
without an answer. cut: half of the answer. delay: answers S seconds later. late: does the work, then closes without a word. hang: does the work, counts "hung", then says nothing for S seconds.
corrupt: GetSnapshotBlock's data with one bit turned, its checksum as it was.
"""
import fnmatch

KINDS = ("error", "reset", "stall", "close", "cut", "delay", "late", "hang", "corrupt")
NONE = {}


class Faults:
    def __init__(self, world):
        self.world = world
        self.used = {}

    def clear(self):
        self.used = {}

    def pick(self, action):
        """The fault for this request, or {}."""
        rules = self.world.settings["faults"]
        if not rules:
            return NONE
        with self.world.lock:
            for number, rule in enumerate(rules):
                if not fnmatch.fnmatchcase(action, rule.get("action", "*")):
                    continue
                seen, hits = self.used.get(number, (0, 0))
                seen += 1
                limit = rule.get("count", 1)
                hit = seen > rule.get("skip", 0) and (not limit or hits < limit) and seen % rule.get("every", 1) == 0
                self.used[number] = (seen, hits + hit)
                if hit:
                    self.world.count("fault:%s" % rule["kind"])
                    return rule
        return NONE


def check(rules):
    for rule in rules:
        if rule.get("kind") not in KINDS:
            raise ValueError("fault of kind '%s'" % rule.get("kind"))
        unknown = set(rule) - {"action", "kind", "count", "skip", "every", "code", "status", "reason", "message",
                               "retry_after", "at", "seconds"}
        if unknown:
            raise ValueError("fault: unknown members %s" % sorted(unknown))
