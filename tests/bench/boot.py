# SPDX-License-Identifier: Apache-2.0
"""bench boot: templates/nginx from power on to the first page."""
import json
import os
import shutil
import statistics

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "templates")
PREFIX = "mkappliance: "


def records(path):
    """The init's records in a console log, by event."""
    found = {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            _, mark, text = line.partition(PREFIX + "{")
            if mark:
                record = json.loads("{" + text)
                found[record["event"]] = record
    return found


def boot(options, image, console):
    result = json.loads(measure.run([options.tool, "test", image, "--json", "--keep-console=" + console]).output)
    seen = records(console)
    return {
        "acceleration": result["acceleration"],
        # Guest time: since the init started, and since the kernel did.
        "verified_ms": seen["verified"]["ms"],
        "init_t": seen["init"]["t"],
        "ready_t": seen["ready"]["t"],
        # Ours: from the start of the machine to the answer of the first probe.
        "page_seconds": sum(step["seconds"] for step in result["steps"][:2]),
    }


def run(options):
    output = os.path.join(options.dir, "output")
    shutil.rmtree(output, ignore_errors=True)
    image = json.loads(measure.run([options.tool, "build", os.path.join(TEMPLATES, "nginx"), "--output", output,
                                    "--json", "--quiet"]).output)["image"]
    runs = [boot(options, image, os.path.join(output, "console")) for _ in range(options.runs)]
    shutil.rmtree(output)

    result = {"bench": "boot", "runs": options.runs, "processors": os.cpu_count(),
              "acceleration": runs[0]["acceleration"]}
    for key in ("verified_ms", "init_t", "ready_t", "page_seconds"):
        result[key] = round(statistics.median(r[key] for r in runs), 3)
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"templates/nginx, median of {options.runs} boots ({result['acceleration']})")
    print(f"kernel to init        {result['init_t']:8.2f} s of the guest")
    print(f"init to verified root {result['verified_ms'] / 1000:8.2f} s of the guest")
    print(f"kernel to ready       {result['ready_t']:8.2f} s of the guest")
    print(f"power on to page      {result['page_seconds']:8.2f} s")
