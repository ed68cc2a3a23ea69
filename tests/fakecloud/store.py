# SPDX-License-Identifier: Apache-2.0
"""What the cloud knows, in a directory: one JSON file an object, written whole or not at all, so that a kill loses nothing."""
import json
import os
import secrets
import urllib.parse


class Store:
    """objects by kind and id; save() after each change. Callers hold the world's lock."""

    def __init__(self, directory):
        self.directory = directory
        self.kinds = {}
        self.held = None
        os.makedirs(directory, exist_ok=True)
        for kind in os.listdir(directory):
            path = os.path.join(directory, kind)
            if not os.path.isdir(path) or kind == "blocks":
                continue
            for name in os.listdir(path):
                if name.endswith(".json"):
                    with open(os.path.join(path, name), encoding="utf-8") as f:
                        self.kind(kind)[urllib.parse.unquote(name[:-5])] = json.load(f)

    def kind(self, kind):
        return self.kinds.setdefault(kind, {})

    def get(self, kind, key):
        return self.kind(kind).get(key)

    def all(self, kind):
        return list(self.kind(kind).values())

    def path(self, kind, key):
        return os.path.join(self.directory, kind, urllib.parse.quote(key, safe="") + ".json")

    def hold(self):
        """What is saved from now on is written by release(), once: for many changes in one go."""
        self.held = {}

    def release(self):
        held, self.held = self.held, None
        for kind, key in held:
            if key in self.kind(kind):
                self.save(kind, key, self.kind(kind)[key])

    def save(self, kind, key, value):
        self.kind(kind)[key] = value
        if self.held is not None:
            self.held[kind, key] = True
            return
        path = self.path(kind, key)
        temporary = path + ".new"
        try:
            f = open(temporary, "w", encoding="utf-8")
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            f = open(temporary, "w", encoding="utf-8")
        with f:
            json.dump(value, f)
        os.rename(temporary, path)

    def delete(self, kind, key):
        if self.kind(kind).pop(key, None) is not None and os.path.exists(self.path(kind, key)):
            os.unlink(self.path(kind, key))

    def secret(self):
        """32 bytes that this cloud seals its tokens with; the same after a restart."""
        kept = self.get("cloud", "secret")
        if kept is None:
            kept = secrets.token_hex(32)
            self.save("cloud", "secret", kept)
        return bytes.fromhex(kept)


def new_id(prefix):
    """As AWS's own: prefix and 17 hexadecimal digits."""
    return "%s-0%s" % (prefix, secrets.token_hex(8))
