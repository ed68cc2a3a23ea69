#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A tree of files for scripts/bench: the same arguments make the same tree.

    maketree.py DIRECTORY BYTES FILES

FILES regular files of BYTES in all, sizes log-normal as in a /usr, in directories of about fifty, with a symbolic
link for every tenth file, and an executable usr/bin/application. No block of it is zero.
"""
import hashlib
import math
import os
import random
import sys

POOL = 16 << 20


def pool(rng):
    """Random bytes of which every file is a slice: making 3 GB of fresh ones would take longer than the bench."""
    return b"".join(hashlib.sha256(rng.randbytes(8)).digest() for _ in range(POOL // 32))


def sizes(rng, total, count):
    weights = [rng.lognormvariate(0, 1.8) for _ in range(count)]
    scale = total / sum(weights)
    found = [max(1, math.floor(w * scale)) for w in weights]
    found[0] += max(0, total - sum(found))
    return found


def write_file(path, size, content, rng):
    with open(path, "wb", buffering=0) as f:
        while size > 0:
            start = rng.randrange(POOL // 2)
            n = min(size, POOL - start)
            view = memoryview(content)[start:start + n]
            while view:
                view = view[f.write(view):]
            size -= n


def main():
    root, total, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(f"{total} {count}")
    content = pool(rng)
    for i, size in enumerate(sizes(rng, total, count)):
        directory = os.path.join(root, "usr/share", f"group{i // 2500:03}", f"package{i // 50:04}")
        if i % 50 == 0:
            os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, f"file-{i:06}.dat")
        write_file(path, size, content, rng)
        os.chmod(path, 0o755 if i % 7 == 0 else 0o644)
        if i % 10 == 0:
            os.symlink(os.path.basename(path), os.path.join(directory, f"link-{i:06}"))
    os.makedirs(os.path.join(root, "usr/bin"))
    application = os.path.join(root, "usr/bin/application")
    write_file(application, 10000, content, rng)
    os.chmod(application, 0o755)


if __name__ == "__main__":
    main()
