# SPDX-License-Identifier: Apache-2.0
"""bench image: the image half against a shell pipeline of the common tools and against tar."""
import glob
import json
import os
import shutil
import sys

import measure
import trees

HERE = os.path.dirname(os.path.abspath(__file__))

TEMPLATE = """\
[Appliance]
Name=bench
Version=1

[Base]
Source=directory
Path={tree}

[Kernel]
Image={kernel}
ModulesDirectory={modules}

[Init]
Mode=appliance
Exec={application}
Network=none
"""


def find_kernel():
    """A kernel of the host with its modules."""
    for image in sorted(glob.glob("/boot/vmlinuz-*")):
        modules = "/lib/modules/" + os.path.basename(image).removeprefix("vmlinuz-")
        if os.path.isdir(modules):
            return image, modules
    sys.exit("bench: no /boot/vmlinuz-RELEASE with /lib/modules/RELEASE; apt-get install linux-image-cloud-amd64")


def find_stub():
    path = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
    if not os.path.exists(path):
        sys.exit(f"bench: {path} is not there; apt-get install systemd-boot-efi")
    return path


def need_programs():
    missing = [p for p in ("mke2fs", "veritysetup", "sfdisk", "objcopy", "mformat", "mcopy", "mmd", "fallocate", "tar")
               if not shutil.which(p)]
    if missing:
        sys.exit(f"bench: {', '.join(missing)} missing; run scripts/setup")


def write_template(work, tree, kernel):
    directory = os.path.join(work, "template-" + tree.name)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "appliance.conf"), "w", encoding="utf-8") as f:
        f.write(TEMPLATE.format(tree=tree.path, kernel=kernel[0], modules=kernel[1], application=tree.application))
    return directory


def bench_tree(tree, options, kernel, stub):
    work, output = options.dir, os.path.join(options.dir, "output")
    disk = os.path.join(output, "pipeline.raw")
    root_kib = (tree.bytes // 1024 * 108 // 100 + tree.files * 4 + 16384) // 1024 * 1024

    def remove():
        shutil.rmtree(output, ignore_errors=True)
        os.makedirs(output)

    series = measure.compare({
        "mkappliance": [options.tool, "build", write_template(work, tree, kernel), "--output", output,
                        "--cache", os.path.join(work, "cache"), "--json", "--quiet"],
        "pipeline": [os.path.join(HERE, "pipeline.sh"), tree.path, disk, str(root_kib),
                     str(tree.files + 1000), kernel[0], options.tool + "-init", stub],
        "tar": ["tar", "-c", "-f", os.path.join(output, "tree.tar"), "-C", tree.path, "."],
    }, options.runs, 2 * tree.bytes, remove)
    built = json.loads(series["mkappliance"].runs[-1].output)
    ours, pipeline, tar = series["mkappliance"], series["pipeline"], series["tar"]
    return {
        "tree": tree.name,
        "files": tree.files,
        "bytes": tree.bytes,
        "image_nonzero_bytes": built["nonzero_bytes"],
        "seconds": {name: round(s.seconds(), 3) for name, s in series.items()},
        "best_seconds": {name: round(s.best(), 3) for name, s in series.items()},
        "processor_seconds": {name: round(s.processor_seconds(), 3) for name, s in series.items()},
        "peak_rss_bytes": ours.peak_rss(),
        "ratio_pipeline": round(pipeline.seconds() / ours.seconds(), 2),
        "ratio_tar": round(ours.seconds() / tar.seconds(), 2),
    }


def print_table(results, options):
    print(f"medians of {options.runs} runs on {os.cpu_count()} processors; ours with fsync, the others without\n")
    print(f"{'tree':8} {'files':>7} {'MB':>6} {'ours':>8} {'pipeline':>9} {'tar':>8} {'faster':>8} {'of tar':>7} {'RSS MiB':>8}")
    for r in results:
        s = r["seconds"]
        print(f"{r['tree']:8} {r['files']:7} {r['bytes'] / 1e6:6.0f} {s['mkappliance']:6.2f} s {s['pipeline']:7.2f} s "
              f"{s['tar']:6.2f} s {r['ratio_pipeline']:6.1f} x {r['ratio_tar']:6.2f} {r['peak_rss_bytes'] / 2**20:8.0f}")


def run(options):
    need_programs()
    kernel, stub = find_kernel(), find_stub()
    results = []
    names = [options.tree] if options.tree else trees.NAMES[:1] if options.quick else trees.NAMES
    for tree in trees.trees(options.dir, names):
        if not options.json:
            print(f"bench: {tree.name}, {tree.files} files, {tree.bytes / 1e6:.0f} MB", file=sys.stderr)
        results.append(bench_tree(tree, options, kernel, stub))
    if options.json:
        # The first tree's ratios also stand on top, for a script that wants one number.
        print(json.dumps({"bench": "image", "runs": options.runs, "processors": os.cpu_count(),
                          "ratio_pipeline": results[0]["ratio_pipeline"], "ratio_tar": results[0]["ratio_tar"],
                          "trees": results}, indent=2))
    else:
        print_table(results, options)
