# SPDX-License-Identifier: Apache-2.0
"""The state that all services share: settings, clock, objects, blocks, counters. Settings are listed in README.md."""
import collections
import copy
import os
import threading
import time

import blocks
from store import Store

DEFAULT_KEY = "AKIAFAKEFAKEFAKEFAKE"
DEFAULT_SECRET = "wJalr/fake+secret/KEYFAKEFAKEFAKEFAKEFAKE"
DEFAULT_ACCOUNT = "111122223333"
REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2"]

DEFAULTS = {
    # time
    "scale": 1.0, "clock_offset_s": 0, "skew_limit_s": 300, "skew_code": None,
    # how slow, how often
    "latency_ms": 0, "latency": {}, "throttle": {}, "throttle_burst": 0.2, "faults": [],
    # EBS and EC2
    "start_lag_s": 0, "complete_s": 0, "list_lag_s": 0, "image_pending_s": 0, "image_lag_s": 0, "copy_s": 0,
    "pending_snapshots": 100, "page": 10000, "store": "full", "fail_images": [], "fail_copies": [],
    "encryption_by_default": {}, "kms_keys": {},
    # who
    "credentials": {DEFAULT_KEY: {"secret": DEFAULT_SECRET, "account": DEFAULT_ACCOUNT,
                                  "arn": "arn:aws:iam::%s:user/tester" % DEFAULT_ACCOUNT}},
    "roles": {}, "web_identity_tokens": {}, "session_s": None,
    "imds": {"role": "appliance-builder", "region": "us-east-1", "refuse": False},
    "container_token": "container-token", "sso_tokens": {},
    # Auto Scaling and load balancing
    "instance_launch_s": 20, "instance_terminate_s": 10, "health_check_s": 10, "drain_s": 30, "capacity": {},
    "images": {}, "alarms": {}, "asg_tick_s": 5, "refresh_stuck_s": 3600, "machines": None,
}


class Settings:
    """A dict of settings that is kept with the state. Unknown names are refused."""

    def __init__(self, store):
        self.store = store
        self.values = copy.deepcopy(DEFAULTS)
        self.values.update(store.get("cloud", "settings") or {})

    def __getitem__(self, name):
        return self.values[name]

    def change(self, changes):
        for name, value in changes.items():
            if name not in DEFAULTS:
                raise KeyError(name)
            if name == "machines" and not set(value or {}) <= {"memory", "cpus", "stop_s"}:
                raise KeyError("machines: " + ", ".join(value))
            if value is None and DEFAULTS[name] is not None:
                value = copy.deepcopy(DEFAULTS[name])
            self.values[name] = value
        self.store.save("cloud", "settings", self.values)


class World:
    def __init__(self, directory):
        self.lock = threading.RLock()
        self.store = Store(directory)
        self.settings = Settings(self.store)
        self.secret = self.store.secret()
        self.directory = directory
        self.block_files = {}
        self.counters = collections.Counter()
        self.log = collections.deque(maxlen=4000)
        self.buckets = {}
        self.fleet = None
        self.machines = None
        for snapshot in self.store.all("snapshots"):
            if snapshot["status"] == "pending":
                snapshot["touched"] = max(snapshot["touched"], self.last_put(snapshot["id"]))

    def last_put(self, snapshot_id):
        try:
            return os.stat(os.path.join(self.directory, "blocks", snapshot_id + ".list")).st_mtime
        except FileNotFoundError:
            return 0

    # Time: the cloud's own clock is right but for clock_offset_s; what lasts is counted in scaled seconds.
    def wall(self):
        """The time that requests must be signed with."""
        return time.time() + self.settings["clock_offset_s"]

    def after(self, seconds):
        """The wall time when so many seconds of the cloud have passed."""
        return time.time() + seconds * self.settings["scale"]

    def passed(self, since, seconds):
        return time.time() >= since + seconds * self.settings["scale"]

    def blocks(self, snapshot_id):
        with self.lock:
            if snapshot_id not in self.block_files:
                self.block_files[snapshot_id] = blocks.Blocks(os.path.join(self.directory, "blocks"), snapshot_id)
            return self.block_files[snapshot_id]

    def throttled(self, name, rate):
        """Takes a token from the bucket; True when there is none. rate: tokens a second of real time."""
        now = time.monotonic()
        with self.lock:
            capacity = max(1.0, rate * self.settings["throttle_burst"])
            level, then = self.buckets.get(name, (capacity, now))
            level = min(capacity, level + (now - then) * rate)
            short = level < 1
            self.buckets[name] = (level if short else level - 1, now)
            return short

    def count(self, name, n=1):
        self.counters[name] += n

    def arn(self, service, region, account, rest):
        return "arn:aws:%s:%s:%s:%s" % (service, region, account, rest)
