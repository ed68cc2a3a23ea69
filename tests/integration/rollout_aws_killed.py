# SPDX-License-Identifier: Apache-2.0
"""rollout_aws_killed.py MKAPPLIANCE DIRECTORY

Deployments to Auto Scaling groups that are killed (SIGKILL) at each of their steps: after every call that changes something, and at each of the first
reads. The fake cloud does the work of that call and then says nothing ("hang"), so the client is killed while it waits for the answer. The same
command again must end where an undisturbed one ends. Each scenario has a cloud of its own; one line for each scenario.
"""
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

MKAPPLIANCE, DIRECTORY = sys.argv[1:3]
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE", "AWS_SECRET_ACCESS_KEY": "wJalr/fake+secret/KEYFAKEFAKEFAKEFAKEFAKE",
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
READS = {"rolling": 8, "create": 8, "blue-green": 8}  # 2 of the others: they begin alike
NAMES = iter("web%d" % i for i in range(100000))


class Cloud:
    def __init__(self, name):
        state = os.path.join(DIRECTORY, name)
        os.makedirs(state)
        self.process = subprocess.Popen(
            [sys.executable, "tests/fakecloud", "serve", state, "--ready", state + ".ready", "--settings",
             '{"scale": 0.002, "alarms": {}}'], stdout=subprocess.DEVNULL)
        while not os.path.exists(state + ".ready"):
            if self.process.poll() is not None:
                raise RuntimeError("the fake cloud did not start")
            time.sleep(0.02)
        with open(state + ".ready", encoding="utf-8") as f:
            self.url = json.load(f)["url"]

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + "/_fake/" + path, data, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as f:
            return json.load(f)

    def set(self, **settings):
        self.ask("PATCH", "settings", settings)

    def image(self, **behaviour):
        """An image that behaves so."""
        name = next(NAMES)
        key = self.ask("POST", "new-image", {"name": name + "-image", "tags": {"mkappliance:state": "ready"}})["image"]
        images = self.ask("GET", "settings")["images"]
        if behaviour:
            self.set(images={**images, key: behaviour})
        return key

    def fleet(self):
        return self.ask("POST", "new-fleet", {"group": next(NAMES), "size": 2})

    def groups(self, name):
        """name -> (image, healthy, tags) of the groups that it stands for; none is being deleted."""
        found = {}
        objects = self.ask("GET", "objects")
        for group in objects["groups"].values():
            tags = {t["Key"]: t["Value"] for t in group["tags"]}
            if group["name"] != name and tags.get("mkappliance:group") != name:
                continue
            assert not group.get("deleting"), group["name"] + " is being deleted"
            there = [i for i in objects["instances"].values() if i["group"] == group["key"] and i["lifecycle"] == "InService"]
            targets = [objects["target-groups"][a]["targets"] for a in group["target_groups"]]
            serving = [i for i in there if targets and all(i["id"] in t and t[i["id"]]["draining"] is None for t in targets)]
            found[group["name"]] = (sorted({i["image"] for i in there}), len(serving), tags)
        return found

    def run(self, command):
        return subprocess.Popen([MKAPPLIANCE, *command, "--endpoint-url", self.url, "--to", "aws", "--interval", "0", "--region", "us-east-1"],
                                env={**os.environ, **CREDENTIALS}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)


def wants(condition, *more):
    if not condition:
        raise AssertionError(" ".join(str(m) for m in more))


def serves(cloud, name, group, image, previous=None):
    """Two of that image serve in that group, and no other group is there."""
    groups = cloud.groups(name)
    wants(list(groups) == [group], "groups", groups)
    images, serving, tags = groups[group]
    wants(images == [image] and serving == 2, groups)
    wants(tags.get("mkappliance:role", "live") == "live", tags)
    wants(not tags.get("mkappliance:replaces"), tags)
    if previous is not None:
        wants((tags.get("mkappliance:previous") or "") in previous, "previous", tags, previous)


PLAN = ["--checkpoint", "10", "--bake", "0", "--warmup", "3", "--deadline", "60"]


def rolling(cloud):
    fleet, new = cloud.fleet(), cloud.image()
    name = fleet["group"]
    return ["deploy", new, "--group", name, *PLAN], 0, lambda: serves(cloud, name, name, new, [fleet["image"]])


def rolling_fails(cloud):
    fleet, bad = cloud.fleet(), cloud.image(never=True)
    name = fleet["group"]
    # Killed after it was over and before the tag was mended, the tag names the image itself: status and rollback know that.
    return ["deploy", bad, "--group", name, *PLAN], 4, lambda: serves(cloud, name, name, fleet["image"], [""])


def create(cloud, **behaviour):
    name, image = next(NAMES), cloud.image(**behaviour)
    cloud.ask("POST", "new-balancer", {"name": name})
    command = ["deploy", image, "--group", name, "--create", "--subnets", "subnet-0a,subnet-0b", "--target-group", name,
               "--instance-type", "t3.micro", "--security-group", "sg-1", *PLAN]
    return command, name, image


def creating(cloud):
    command, name, image = create(cloud)
    return command, 0, lambda: serves(cloud, name, name, image)


def creating_fails(cloud):
    command, name, _ = create(cloud, never=True)

    def nothing():
        wants(not cloud.groups(name), cloud.groups(name))
        wants(name not in [t["name"] for t in cloud.ask("GET", "objects/templates").values()], "the template is there")
    return command, 1, nothing


def swap(cloud, keep, code, **behaviour):
    fleet, new = cloud.fleet(), cloud.image(**behaviour)
    name = fleet["group"]
    command = ["deploy", new, "--group", name, "--strategy", "blue-green", "--keep-old", str(keep), *PLAN]
    if code:
        return command, code, lambda: serves(cloud, name, name, fleet["image"])
    return command, code, lambda: serves(cloud, name, name + "-green", new, [fleet["image"]])


SCENARIOS = {
    "rolling": rolling,
    "rolling, of an image that is never healthy": rolling_fails,
    "create": creating,
    "create, with an image that is never healthy": creating_fails,
    "blue-green": lambda cloud: swap(cloud, 0, 0),
    "blue-green, of an image that is never healthy": lambda cloud: swap(cloud, 0, 4, never=True),
    "blue-green, of an image that fails while the old group is kept": lambda cloud: swap(cloud, 40, 4, crash_after_s=500),
}


def changing(action):
    return not action.startswith(("Describe", "Get"))


def points(cloud, scenario, most):
    """(action, how many of it came before) of an undisturbed run: what changes, and the first reads."""
    command, code, check = scenario(cloud)
    cloud.ask("DELETE", "log")
    process = cloud.run(command)
    said = process.communicate(timeout=120)[1]
    wants(process.returncode == code, "undisturbed: exit code", process.returncode, said)
    check()
    seen, found, reads = {}, [], 0
    for entry in cloud.ask("GET", "log"):
        action = entry["action"]
        if changing(action) or reads < most:
            found.append((action, seen.get(action, 0)))
            reads += not changing(action)
        seen[action] = seen.get(action, 0) + 1
    return found


def kill_at(cloud, scenario, action, skip):
    command, code, check = scenario(cloud)
    before = cloud.ask("GET", "counters").get("hung", 0)
    cloud.set(faults=[{"action": action, "kind": "hang", "skip": skip}])
    process = cloud.run(command)
    end = time.monotonic() + 60
    while process.poll() is None and cloud.ask("GET", "counters").get("hung", 0) == before and time.monotonic() < end:
        time.sleep(0.02)
    killed = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    cloud.set(faults=None)
    again = cloud.run(command)
    said = again.communicate(timeout=120)[1]
    wants(again.returncode == code, "after %s %d: exit code %s: %s" % (action, skip, again.returncode, said))
    try:
        check()
    except AssertionError as e:
        raise AssertionError("after %s %d: %s\n%s" % (action, skip, e, said)) from None
    return killed


def play(number, name):
    cloud = Cloud("cloud%d" % number)
    try:
        steps = points(cloud, SCENARIOS[name], READS.get(name, 2))
        killed = sum(kill_at(cloud, SCENARIOS[name], *step) for step in steps)
        changes = sum(changing(a) for a, _ in steps)
        wants(killed >= len(steps) - 1, "only %d of %d were killed" % (killed, len(steps)))
        return "ok %s: killed at %d changes and %d reads" % (name, changes, len(steps) - changes)
    except Exception as e:  # pylint: disable=broad-except
        return "not ok %s\n    %s" % (name, str(e).replace("\n", "\n    "))
    finally:
        cloud.process.kill()
        cloud.process.wait()


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    lines = list(pool.map(play, range(len(SCENARIOS)), SCENARIOS))
print("\n".join(lines))
sys.exit(any(line.startswith("not ok") for line in lines))
