# SPDX-License-Identifier: Apache-2.0
"""The trees that scripts/bench builds images of."""
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass
class Tree:
    name: str
    path: str
    application: str  # what the image runs: must exist in the tree
    files: int = 0
    bytes: int = 0

    def measure(self):
        self.files = self.bytes = 0
        for directory, directories, files in os.walk(self.path):
            self.files += len(directories) + len(files)
            for name in files:
                status = os.lstat(os.path.join(directory, name))
                self.bytes += status.st_size
        return self


def complete(path, make):
    """Makes the tree under another name first, so that an interrupted run leaves no half of one."""
    if os.path.isdir(path):
        return
    part = path + ".part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    make(part)
    os.rename(part, path)


def nginx(work):
    """Debian with nginx-light, 187 MB: a tar from BENCH_TAR, or made by mmdebstrap once."""
    tar = os.environ.get("BENCH_TAR") or os.path.join(work, "nginx.tar")
    if not os.path.exists(tar):
        if not shutil.which("mmdebstrap"):
            sys.exit("bench: mmdebstrap is not there; run scripts/setup, or name a tar of such a tree in BENCH_TAR")
        print("bench: the nginx tree is made by mmdebstrap, once", file=sys.stderr)
        with open(tar + ".part", "wb") as out:
            subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", "--include=nginx-light", "bookworm"],
                           stdout=out, stdin=subprocess.DEVNULL, check=True)
        os.rename(tar + ".part", tar)

    def make(path):
        subprocess.run(["tar", "-x", "-f", tar, "-C", path, "--exclude=./dev/*"], check=True)

    path = os.path.join(work, "nginx")
    complete(path, make)
    return Tree("nginx", path, "/usr/sbin/nginx").measure()


def synthetic(work, name, size, files):
    def make(path):
        print(f"bench: the {name} tree is made, once", file=sys.stderr)
        subprocess.run([sys.executable, os.path.join(HERE, "maketree.py"), path, str(size), str(files)], check=True)

    path = os.path.join(work, name)
    complete(path, make)
    return Tree(name, path, "/usr/bin/application").measure()


def medium(work):
    return synthetic(work, "medium", 850_000_000, 14_000)


def large(work):
    return synthetic(work, "large", 3_000_000_000, 60_000)


MAKERS = {"nginx": nginx, "medium": medium, "large": large}
NAMES = list(MAKERS)


def trees(work, names):
    return [MAKERS[name](work) for name in names]
