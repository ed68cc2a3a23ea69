# SPDX-License-Identifier: Apache-2.0
"""bench upload: blocks a second against a service with latency, beside coldsnap; what a small change sends."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BLOCK = 512 * 1024
SERVICE_LIMIT = 1000  # puts a second for one snapshot
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIAFAKEFAKEFAKEFAKE", "AWS_SECRET_ACCESS_KEY": "wJalr/fake+secret/KEYFAKEFAKEFAKEFAKEFAKE",
    "AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


class Cloud:
    """tests/fakecloud; unless it is to keep the data it hashes and drops them."""

    def __init__(self, directory, latency_ms, keep=False):
        self.directory = tempfile.mkdtemp(dir=directory)
        ready = os.path.join(self.directory, "ready")
        settings = {"store": "full" if keep else "digests", "latency": {"PutSnapshotBlock": latency_ms},
                    "throttle": {"PutSnapshotBlock": SERVICE_LIMIT}}
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, "tests/fakecloud"), "serve", os.path.join(self.directory, "state"), "--ready", ready,
             "--settings", json.dumps(settings)], stdout=subprocess.DEVNULL)
        while not os.path.exists(ready):
            time.sleep(0.05)
        with open(ready, encoding="utf-8") as f:
            self.url = json.load(f)["url"]

    def counters(self):
        with urllib.request.urlopen(self.url + "/_fake/counters") as answer:
            return json.load(answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def spawn(argv, cloud):
    """Returns wall time, processor time, peak memory, and both outputs."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                 env={**os.environ, **ENVIRONMENT, "AWS_ENDPOINT_URL": cloud.url})
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        errors.seek(0)
        text = errors.read().decode(errors="replace")
    if child.returncode != 0:
        sys.exit(f"bench: {argv[0]} ended with status {child.returncode}:\n{text}")
    return {"seconds": seconds, "processor": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss * 1024,
            "output": output.decode(errors="replace"), "errors": text}


def upload_seconds(run):
    """Of the phase that sends, from the events."""
    for line in run["errors"].splitlines():
        if line.startswith('{"event":"done","phase":"uploading"'):
            return json.loads(line)["seconds"]
    sys.exit("bench: no event of the uploading phase in:\n" + run["errors"])


def ours(options, image, cloud, number, *more):
    run = spawn([options.tool, "upload", image, "--json", "--check", "none", "--name", f"bench-{number}", *more], cloud)
    report = json.loads(run["output"])
    puts, seconds = report["sent_bytes"] // BLOCK, upload_seconds(run)
    return {"puts": puts, "seconds": seconds, "rate": puts / seconds, "whole": run["seconds"], "rss": run["rss"],
            "processors": run["processor"] / run["seconds"], "report": report}


def coldsnap(program, image, cloud):
    before = cloud.counters().get("action:PutSnapshotBlock", 0)
    run = spawn([program, "--region", "us-east-1", "--endpoint", cloud.url, "upload", "--no-progress", image], cloud)
    puts = cloud.counters()["action:PutSnapshotBlock"] - before
    return {"puts": puts, "rate": puts / run["seconds"], "whole": run["seconds"], "rss": run["rss"],
            "processors": run["processor"] / run["seconds"]}


def build(options, directory, gib, versions):
    """Versions of an image of so many GiB, nearly full, that differ in one file of 100 KB."""
    template = os.path.join(directory, f"template-{gib}")
    os.makedirs(template)
    with open(os.path.join(ROOT, "templates/hello/appliance.conf"), encoding="utf-8") as f:
        text = f.read().replace("=../../", "=" + ROOT + "/")
    text = text.replace("[Kernel]", "Copy=large:/opt/large\nCopy=app:/opt/app\n\n[Kernel]", 1)
    with open(os.path.join(template, "appliance.conf"), "w", encoding="utf-8") as f:
        f.write(text)
    with open(os.path.join(template, "large"), "wb") as f:
        for _ in range(gib * 1024 - 124):
            f.write(os.urandom(1 << 20))
    images = []
    for version in versions:
        with open(os.path.join(template, "app"), "wb") as f:
            f.write(os.urandom(100000))
        subprocess.run([options.tool, "build", template, "-o", template, "--version", version, "--quiet"], check=True)
        images.append(os.path.join(template, f"hello-{version}.raw"))
    return images


def at_latency(options, images, latency, program):
    name = program and os.path.basename(program)
    result = {"latency_ms": latency}
    mine, theirs = [], []
    with Cloud(options.dir, latency) as cloud:
        for number in range(options.runs):
            mine.append(ours(options, images[0], cloud, number, "--parent", "none"))
            if name:
                theirs.append(coldsnap(program, images[0], cloud))
    result["puts_per_second"] = round(statistics.median(r["rate"] for r in mine), 1)
    result["share_of_limit"] = round(result["puts_per_second"] / SERVICE_LIMIT, 3)
    result["seconds"] = round(statistics.median(r["whole"] for r in mine), 2)
    result["processors"] = round(statistics.median(r["processors"] for r in mine), 2)
    result["peak_rss_bytes"] = max(r["rss"] for r in mine)
    if theirs:
        result["coldsnap"] = {"puts_per_second": round(statistics.median(r["rate"] for r in theirs), 1),
                              "seconds": round(statistics.median(r["whole"] for r in theirs), 2),
                              "processors": round(statistics.median(r["processors"] for r in theirs), 2),
                              "peak_rss_bytes": max(r["rss"] for r in theirs), "puts": theirs[0]["puts"]}
    return result


def delta_of(options, images):
    """A parent is only trusted when what it holds can be read, so this one keeps it."""
    with Cloud(options.dir, 20, True) as cloud:
        ours(options, images[0], cloud, "base", "--parent", "none")
        delta = ours(options, images[1], cloud, "delta")
    if not delta["report"]["parent"]:
        sys.exit("bench: no delta: " + str(delta["report"]["full_because"]))
    size = os.path.getsize(images[1])
    return {"bytes": delta["report"]["sent_bytes"], "share": round(delta["report"]["sent_bytes"] / size, 5),
            "seconds": round(delta["whole"], 2)}


def show(result):
    print(f"an answer takes {result['latency_ms']} ms:")
    print(f"  mkappliance   {result['puts_per_second']:.0f} puts/s, {100 * result['share_of_limit']:.0f} % of the service's limit; "
          f"{result['seconds']:.2f} s in all, {result['processors']:.2f} processors, {result['peak_rss_bytes'] / 1e6:.0f} MB")
    other = result.get("coldsnap")
    if other:
        print(f"  coldsnap      {other['puts_per_second']:.0f} puts/s; {other['seconds']:.2f} s in all, "
              f"{other['processors']:.2f} processors, {other['peak_rss_bytes'] / 1e6:.0f} MB")


def show_delta(delta):
    print(f"one file of 100 KB changed in 1 GiB: {delta['bytes'] / 1e6:.1f} MB sent, {100 * delta['share']:.2f} %, {delta['seconds']:.2f} s")


def run(options):
    program = options.coldsnap or shutil.which("coldsnap")
    if not program:
        print("bench: coldsnap is not installed (cargo install coldsnap), so there is nothing to compare with", file=sys.stderr)
    directory = tempfile.mkdtemp(dir=options.dir)
    try:
        # One of 1 GiB is gone before there are enough connections for the longer latency.
        large = build(options, directory, 1 if options.quick else 4, "1")
        results = [at_latency(options, large, latency, program) for latency in (20, 100)]
        shutil.rmtree(os.path.dirname(large[0]))
        delta = delta_of(options, build(options, directory, 1, "12"))
    finally:
        shutil.rmtree(directory)
    if options.json:
        print(json.dumps({"bench": "upload", "runs": options.runs, "processors": os.cpu_count(), "results": results, "delta": delta},
                         indent=2))
        return
    for result in results:
        show(result)
    show_delta(delta)
