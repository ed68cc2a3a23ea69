# SPDX-License-Identifier: Apache-2.0
"""bench fleet: how long a local group of three needs back to its previous image, beside three machines that merely start."""
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import boot

SIZE = 3
THRESHOLD = 2.0  # seconds: BALANCER_RISE checks, one a second
GROUP = "bench"
PATIENCE = 300


def images(options, output):
    """templates/hello, twice."""
    with open(os.path.join(boot.TEMPLATES, "hello/appliance.conf"), encoding="utf-8") as f:
        text = f.read().replace("../../build/hello", os.path.join(os.path.dirname(options.tool), "hello"))
    found = []
    for version in ("1.0", "2.0"):
        directory = os.path.join(output, "hello-" + version)
        os.makedirs(directory)
        with open(os.path.join(directory, "appliance.conf"), "w", encoding="utf-8") as f:
            f.write(text.replace("1.0.0", version))
        found.append(boot.build(options, directory, output))
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def page_of(port, deadline):
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
                return answer.read()
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    sys.exit("bench: a machine gave no page")


def start(options, image):
    """Seconds until each of SIZE machines that were started at once has given its page; no group, no balancer."""
    ports = [free_port() for _ in range(SIZE)]
    begin = time.monotonic()
    machines = [subprocess.Popen([options.tool, "boot", image, "--memory", "256", "--quiet", "--forward", f"{port}:8080"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for port in ports]
    try:
        for port in ports:
            page_of(port, begin + PATIENCE)
        return time.monotonic() - begin
    finally:
        for machine in machines:
            machine.send_signal(signal.SIGINT)
        for machine in machines:
            machine.wait()


def roll_back(options, environment):
    """Seconds until all serve the other image, and until the old ones are gone."""
    begin, serving, count = time.monotonic(), None, 0
    with subprocess.Popen([options.tool, "rollback", "--group", GROUP], env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as child:
        pending = set()
        for line in child.stderr:
            words = re.match(r"(i\d+) .* (pending|serving) ", line)
            if words and words[2] == "pending":
                pending.add(words[1])
            elif words and words[1] in pending:
                count += 1
                if count == SIZE:
                    serving = time.monotonic() - begin
    if child.returncode != 0 or serving is None:
        sys.exit(f"bench: the group did not go back (exit code {child.returncode})")
    return serving, time.monotonic() - begin


def group(options, output, environment):
    """Both images have served; each rollback goes to the other one. Beside it, machines that start and nothing else."""
    def deploy(*words):
        subprocess.run([options.tool, "deploy", *words, "--group", GROUP, "--quiet"], env=environment, check=True)
    first, second = images(options, output)
    boots, backs = [], []
    try:
        deploy(first, "--to", "libvirt", "--size", str(SIZE), "--memory", "256", "--checkpoint", "1", "--bake", "1")
        deploy(second, "--checkpoint", "1", "--bake", "1")
        for i in range(options.runs):
            boots.append(start(options, (first, second)[i % 2]))
            backs.append(roll_back(options, environment))
    finally:
        deploy("--destroy")
    return boots, backs


def run(options):
    output = os.path.join(options.dir, "output")
    shutil.rmtree(output, ignore_errors=True)
    os.makedirs(output)
    # Sockets below it have short names only.
    with tempfile.TemporaryDirectory(prefix="mkb") as state:
        boots, backs = group(options, output, os.environ | {"XDG_STATE_HOME": state})
    shutil.rmtree(output)
    started = statistics.median(boots)
    serving = statistics.median(b[0] for b in backs)
    result = {"bench": "fleet", "runs": options.runs, "size": SIZE, "processors": os.cpu_count(), "start_seconds": round(started, 1),
              "threshold_seconds": THRESHOLD, "rollback_seconds": round(serving, 1),
              "gone_seconds": round(statistics.median(b[1] for b in backs), 1),
              "of_start_and_threshold": round(serving / (started + THRESHOLD), 2)}
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"templates/hello, {SIZE} machines, median of {options.runs} runs")
    print(f"  merely started, to the last one's page      {result['start_seconds']:6.1f} s")
    print(f"  rollback, to the last one that serves       {result['rollback_seconds']:6.1f} s")
    print(f"  of the start and the health threshold ({THRESHOLD:.0f} s) {result['of_start_and_threshold']:6.2f}")
    print(f"  until the old ones are gone                 {result['gone_seconds']:6.1f} s")
