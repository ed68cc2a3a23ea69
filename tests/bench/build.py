# SPDX-License-Identifier: Apache-2.0
"""bench build: what a developer waits for after one file of the application changed."""
import json
import os
import shutil
import statistics

import measure

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "templates")


def change(path, number):
    with open(path, "a", encoding="utf-8") as f:
        f.write(f"<!-- change {number} -->\n")


def build(options, template, output):
    return measure.run([options.tool, "build", template, "--output", output, "--json", "--quiet"])


def run(options):
    template = os.path.join(options.dir, "nginx-template")
    output = os.path.join(options.dir, "output")
    shutil.rmtree(template, ignore_errors=True)
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(os.path.join(TEMPLATES, "nginx"), template)

    first = build(options, template, output).seconds
    runs = []
    for number in range(options.runs):
        change(os.path.join(template, "index.html"), number)
        runs.append(build(options, template, output))
    parts = [json.loads(r.output)["seconds"] for r in runs]
    hello = json.loads(build(options, os.path.join(TEMPLATES, "hello"), output).output)
    shutil.rmtree(output)

    result = {
        "bench": "build",
        "runs": options.runs,
        "processors": os.cpu_count(),
        "seconds": round(statistics.median(r.seconds for r in runs), 3),
        "compose_seconds": round(statistics.median(p["compose"] for p in parts), 3),
        "image_seconds": round(statistics.median(p["image"] for p in parts), 3),
        "first_seconds": round(first, 3),
        "peak_rss_bytes": max(r.peak_rss for r in runs),
        "hello_nonzero_bytes": hello["nonzero_bytes"],
    }
    if options.json:
        print(json.dumps(result, indent=2))
        return
    print(f"templates/nginx after a change of index.html  {result['seconds']:.2f} s, median of {options.runs} "
          f"(compose {result['compose_seconds']:.2f}, image {result['image_seconds']:.2f})")
    print(f"templates/nginx, the first build of this run  {first:.2f} s")
    print(f"templates/hello, bytes that are not zero      {hello['nonzero_bytes'] / 1e6:.1f} MB")
