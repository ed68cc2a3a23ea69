# SPDX-License-Identifier: Apache-2.0
"""bench boot: what a machine needs from power on to its first page, and what the init takes of it."""
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "templates")
PREFIX = "mkappliance: "
VERIFIED_BYTES = 192 << 20  # of the root that Verify=full reads
# Processors: the template says nothing, which is one; a machine of any cloud has two or more. EC2's disks are NVMe.
HELLO_MACHINES = ((1, "virtio"), (2, "virtio"), (2, "nvme"))
STEPS = ("modules_ms", "disk_ms", "verity_ms", "mount_ms", "setup_ms", "drivers_ms", "seal_ms", "exec_ms")


def records(text):
    """The init's records in a console log, by event; of several the first."""
    found = {}
    for line in text.splitlines():
        _, mark, rest = line.partition(PREFIX + "{")
        if mark:
            record = json.loads("{" + rest)
            found.setdefault(record["event"], record)
    return found


def build(options, template, output):
    return json.loads(measure.run([options.tool, "build", template, "--output", output, "--json", "--quiet"]).output)["image"]


def boot(options, image, output):
    console = os.path.join(output, "console")
    result = json.loads(measure.run([options.tool, "test", image, "--json", "--keep-console=" + console]).output)
    with open(console, encoding="utf-8", errors="replace") as f:
        return result, f.read()


def nginx(options, output):
    """From power on to the first page."""
    image = build(options, os.path.join(TEMPLATES, "nginx"), output)
    runs = []
    for _ in range(options.runs):
        result, said = boot(options, image, output)
        seen = records(said)
        runs.append({"acceleration": result["acceleration"], "verified_ms": seen["verified"]["ms"], "init_t": seen["init"]["t"],
                     "ready_t": seen["ready"]["t"],
                     # Ours: from the start of the machine to the answer of the first probe.
                     "page_seconds": sum(step["seconds"] for step in result["steps"][:2])})
    median = {key: round(statistics.median(r[key] for r in runs), 3) for key in runs[0] if key != "acceleration"}
    return median | {"acceleration": runs[0]["acceleration"]}


def hello(options, output, processors, disk):
    """templates/hello without a network: from the init's start to the program's, and where the time goes."""
    directory = os.path.join(output, f"hello-{processors}-{disk}")
    os.makedirs(directory)
    with open(os.path.join(TEMPLATES, "hello/appliance.conf"), encoding="utf-8") as f:
        text = f.read()
    program = os.path.join(os.path.dirname(options.tool), "hello")
    text = text.replace("../../build/hello", program).replace("Network=dhcp", "Network=none")
    with open(os.path.join(directory, "appliance.conf"), "w", encoding="utf-8") as f:
        f.write(text[:text.index("[Test]")] + f"[Test]\nCPUs={processors}\nDisk={disk}\n")
    image = build(options, directory, output)
    runs = [records(boot(options, image, output)[1]) for _ in range(options.runs)]
    middle = sorted(runs, key=lambda r: r["started"]["total_ms"])[len(runs) // 2]
    if middle["started"]["processors"] != processors:
        sys.exit(f"bench: the init counted {middle['started']['processors']} processors, not {processors}")
    return {"processors": processors, "disk": disk, "exec_ms": middle["started"]["total_ms"], "exec_ms_best": min(r["started"]["total_ms"] for r in runs),
            "exec_steps": {key: (middle["verified"] | middle["started"]).get(key) for key in STEPS}}


def big_root(directory, program):
    """[Files] of VERIFIED_BYTES of noise, with dd and what it needs."""
    with open(os.path.join(directory, "noise"), "wb") as f:
        for i in range(VERIFIED_BYTES >> 20):
            f.write(random.Random(i).randbytes(1 << 20))
    libraries = subprocess.run(["ldd", "/bin/dd"], capture_output=True, text=True, check=True).stdout
    copies = [("noise", "/noise"), (program, "/bin/measure_in"), ("/bin/dd", "/bin/dd")]
    copies += [(path, path) for path in re.findall(r"(/\S+)", libraries)]
    return "".join(f"Copy={source}:{target} mode=0755\n" for source, target in copies)


def verify(options, output):
    """Verify=full against dd of the same device, and the resident memory of process 1."""
    directory = os.path.join(output, "verify")
    program = os.path.join(output, "measure_in")
    os.makedirs(directory)
    subprocess.run(["musl-gcc", "-static", "-Os", "-o", program, os.path.join(HERE, "measure_in.c")], check=True)
    files = big_root(directory, program)
    with open(os.path.join(directory, "appliance.conf"), "w", encoding="utf-8") as f:
        f.write("[Appliance]\nName=verify\nVersion=1\n[Base]\nSource=none\nSuite=bookworm\n[Files]\n" + files +
                "[Kernel]\nPackage=linux-image-cloud-amd64\nCommandLine=console=ttyS0\n[Init]\n"
                f"Exec=/bin/measure_in {VERIFIED_BYTES}\nNetwork=none\nCapabilities=all\nVerify=full\nReady=file:/tmp/none\nReadyTimeout=20s\n"
                "[Sandbox]\nHideProcesses=no\n[Test]\nCPUs=2\n")
    image = build(options, directory, output)
    rates, resident = [], 0
    for _ in range(options.runs + 1):  # the first one warms the page cache of the host
        said = subprocess.run([options.tool, "boot", image, "--console", "--timeout", "200"], capture_output=True, text=True,
                              errors="replace", check=False).stdout
        dd = re.search(r"app: dd (\d+) ms of (\d+) bytes with (\d+) readers, status 0", said)
        memory = re.search(r"app: resident (\d+)", said)
        if not dd or not memory:
            sys.exit("bench: the machine did not measure:\n" + said[-2000:])
        read = records(said)["verified"]["read_ms"]
        with open(image.replace(".raw", ".manifest.json"), encoding="utf-8") as f:
            size = json.load(f)["verity"]["data_blocks"] * 4096
        rates.append((size / read / 1049, int(dd[2]) / int(dd[1]) / 1049))  # bytes a ms in MiB a second
        resident = max(resident, int(memory[1]))
    ours = statistics.median(r[0] for r in rates[1:])
    theirs = statistics.median(r[1] for r in rates[1:])
    return {"verify_mib_s": round(ours, 1), "dd_mib_s": round(theirs, 1), "verify_of_dd": round(ours / theirs, 2),
            "pid1_kib": resident}


def run(options):
    output = os.path.join(options.dir, "output")
    shutil.rmtree(output, ignore_errors=True)
    os.makedirs(output)
    result = {"bench": "boot", "runs": options.runs, "processors": os.cpu_count()}
    result["hello"] = [hello(options, output, *machine) for machine in HELLO_MACHINES]
    result |= verify(options, output) | nginx(options, output)
    shutil.rmtree(output)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"median of {options.runs} boots ({result['acceleration']}), times of the guest's clock but the last")
    print("templates/hello without a network")
    for start in result["hello"]:
        steps = ", ".join(f"{key[:-3]} {value}" for key, value in start["exec_steps"].items())
        print(f"  init to the program's start {start['exec_ms']:8} ms, processors: {start['processors']}, disk: {start['disk']:6} "
              f"(best {start['exec_ms_best']}; {steps})")
    print(f"  resident memory of process 1{result['pid1_kib']:8} KiB")
    print(f"Verify=full, a root of {VERIFIED_BYTES >> 20} MiB, 2 processors")
    print(f"  read {result['verify_mib_s']:.1f} MiB/s, dd with as many readers {result['dd_mib_s']:.1f} MiB/s: {result['verify_of_dd']:.2f}")
    print("templates/nginx")
    print(f"  kernel to init              {result['init_t']:8.2f} s")
    print(f"  init to verified root       {result['verified_ms'] / 1000:8.2f} s")
    print(f"  kernel to ready             {result['ready_t']:8.2f} s")
    print(f"  power on to page            {result['page_seconds']:8.2f} s")
