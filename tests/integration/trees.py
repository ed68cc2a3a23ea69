#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a tree is, one line a name, so that two trees can be compared with diff(1).

    trees.py make DIR              a tree with everything that a file system can hold
    trees.py upper DIR             a layer over it: whiteouts, opaque directories, other types
    trees.py directory DIR         lists a directory
    trees.py tar FILE              lists an uncompressed tar

Both listings have type, mode, owner, size, device, target, SHA-256, extended attributes, time (no later than EPOCH of the
environment) and, for a hard link, the first name of the file.
"""
import hashlib
import os
import stat
import struct
import sys
import tarfile

EPOCH = int(os.environ.get("EPOCH", "1600000000"))
# Of the host, or of the file system that holds the tree; not of the tree.
FOREIGN = (b"security.selinux", b"trusted.overlay.origin", b"trusted.overlay.impure", b"trusted.overlay.uuid")


def noise(length, seed=1):
    return hashlib.shake_128(b"%d" % seed).digest(length)


# ---- making ----

def write(path, data=b"", mode=0o644, uid=0, gid=0):
    with open(path, "wb") as f:
        f.write(data)
    os.chown(path, uid, gid)
    os.chmod(path, mode)


def settle(top):
    """Times that a tar without fractions can say: most before the epoch, some behind it."""
    for i, (root, dirs, files) in enumerate(os.walk(top, topdown=False)):
        for name in files + dirs:
            at = EPOCH - 1000 + i % 7 * 200
            os.utime(os.path.join(root, name), (at, at), follow_symlinks=False)
    os.utime(top, (EPOCH, EPOCH))


def make(top):
    os.makedirs(top, exist_ok=True)
    os.chdir(os.fsencode(top))
    for d in "dev etc proc run sys tmp usr usr/bin var var/tmp var/log srv srv/names srv/modes srv/links srv/many srv/sizes srv/deep".split():
        os.mkdir(d, 0o755)
    os.chmod("tmp", 0o1777)
    os.chmod("var/tmp", 0o1777)
    os.symlink("usr/bin", "bin")
    write("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/false\n")
    write("etc/group", b"root:x:0:\napp:x:1000:\n")
    for name in "hostname", "hosts", "resolv.conf":
        write("etc/" + name, name.encode())
    write("usr/bin/application", b"\x7fELF" + noise(200000), 0o755)

    for i, name in enumerate([b"x" * 255, b"\xff\xfe\x80", "ü€😀".encode(), b" blank ", b"new\nline", b"-dash", b"back\\slash", b"quo'te\"",
                              b".hidden", b"...", b"tab\t", b"\x01\x7f", b"*?[a]", b"%s%n", b"a" * 200 + b"\xff" * 55]):
        write(b"srv/names/" + name, noise(100, i))
    for mode in 0, 0o1, 0o444, 0o644, 0o755, 0o777, 0o4755, 0o2755, 0o6711, 0o1644, 0o7777:
        write(f"srv/modes/{mode:04o}", noise(10, mode), mode)
        os.mkdir(f"srv/modes/directory-{mode:04o}", 0o755)
        os.chmod(f"srv/modes/directory-{mode:04o}", mode)
    for uid, gid in (1, 2), (1000, 1000), (65534, 65535), (65536, 100000), (2**32 - 2, 2**32 - 3):
        write(f"srv/modes/owner-{uid}-{gid}", b"", 0o600, uid, gid)
    for i, size in enumerate([0, 1, 59, 60, 159, 160, 4095, 4096, 4097, 131072, 1048575, 1048577]):
        write(f"srv/sizes/{size}", noise(size, i))
    write("srv/sizes/zeros", bytes(1 << 20))
    with open("srv/sizes/sparse", "wb") as f:
        f.write(b"begin")
        for at in 1 << 20, 5 << 20, (9 << 20) + 77:
            f.seek(at)
            f.write(noise(5000, at))
        f.truncate(20 << 20)
    with open("srv/sizes/hole", "wb") as f:
        f.truncate(3 << 20)
    for length in 1, 59, 60, 61, 255, 1024, 4095:
        os.symlink(("../" * 2000)[:length - 1] + "x", f"srv/links/symbolic-{length}")
    os.symlink(b"\xff/\xfe", "srv/links/symbolic-bytes")
    os.symlink("/nowhere", "srv/links/dangling")
    write("srv/links/hard-1", noise(3000))
    os.link("srv/links/hard-1", "srv/links/hard-2")
    os.link("srv/links/hard-1", "etc/hard-3")
    for i in range(3000):
        write(f"srv/many/a file in a directory that needs an index {i}", b"%d" % i)
    path = "srv/deep"
    for i in range(60):
        path += f"/{i}"
        os.mkdir(path)
    write(path + "/end", b"end")
    os.mkfifo("srv/links/fifo", 0o600)
    os.mknod("dev/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.chmod("dev/null", 0o666)
    os.mknod("dev/disk", stat.S_IFBLK | 0o660, os.makedev(259, 300000))
    os.mknod("dev/high", stat.S_IFCHR | 0o600, os.makedev(4095, 1048575))
    os.symlink("../links/dangling", "srv/links/symbolic-attribute")
    write("usr/bin/capable", b"\x7fELF" + noise(100), 0o755)
    # CAP_NET_BIND_SERVICE, permitted and effective; linux/capability.h, revision 2.
    os.setxattr("usr/bin/capable", "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0))
    os.setxattr("usr/bin", "user.directory", b"of a directory")
    for name, size in ("user.empty", 0), ("user.bytes", 90), ("user.long", 2000), ("trusted.mine", 10):
        os.setxattr("srv/sizes/1", name, noise(size, size))
    settle(".")


def upper(top):
    """Over what make() made."""
    os.makedirs(top + "/srv/modes")
    os.chdir(top)
    os.makedirs("srv/links")
    os.makedirs("srv/names")
    os.makedirs("srv/sizes")
    os.makedirs("srv/deep/0")
    os.makedirs("usr/bin")
    os.makedirs("new/directory")
    white = stat.S_IFCHR
    os.mknod("srv/sizes/zeros", white, 0)  # a file goes
    os.mknod("srv/many", white, 0)  # a directory goes with everything
    os.mknod("srv/links/hard-1", white, 0)  # its other names stay
    os.mknod("srv/deep/0/1", white, 0)
    os.mknod("srv/nothing", white, 0)  # nothing was there
    os.setxattr("srv/names", "trusted.overlay.opaque", b"y")
    write("srv/names/only", b"only")
    write("srv/modes/directory-0755", b"a file now")
    os.mkdir("srv/modes/0644")  # a directory now
    write("srv/modes/0644/below", b"below")
    os.symlink("elsewhere", "srv/modes/0755")  # a link now
    write("srv/sizes/4096", b"shorter", 0o600, 1000, 1000)
    write("srv/sizes/0", noise(10000))
    write("new/directory/file", b"new")
    os.link("new/directory/file", "new/linked")
    os.chmod("usr/bin", 0o700)
    write("usr/bin/application", b"\x7fELF" + noise(100000, 2), 0o755)
    settle(".")


# ---- listing ----

def line(path, kind, mode, uid, gid, mtime, more):
    return f"{os.fsencode(path)!r} {kind} {mode:04o} {uid}:{gid} @{min(int(mtime), EPOCH)} {more}"


def attributes(pairs):
    return " ".join(f"{k.decode()}={hashlib.sha256(v).hexdigest()[:16]}/{len(v)}" for k, v in sorted(pairs) if k not in FOREIGN)


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo", stat.S_IFCHR: "char", stat.S_IFBLK: "block"}


def sha256(f):
    digest = hashlib.sha256()
    while block := f.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def list_directory(top):
    names = [""]
    for root, dirs, files in os.walk(top):
        names += [os.path.relpath(os.path.join(root, n), top) for n in dirs + files]
    inodes = {}
    for name in sorted(names, key=os.fsencode):
        path = os.path.join(top, name)
        st = os.lstat(path)
        kind = KINDS[stat.S_IFMT(st.st_mode)]
        more = []
        if kind == "file":
            with open(path, "rb") as f:
                more.append(f"{st.st_size} {sha256(f)}")
        elif kind == "link":
            more.append(repr(os.fsencode(os.readlink(path))))
        elif kind in ("char", "block"):
            more.append(f"{os.major(st.st_rdev)},{os.minor(st.st_rdev)}")
        if kind != "directory" and st.st_nlink > 1:
            first = inodes.setdefault((st.st_dev, st.st_ino), name)
            more.append(f"first={os.fsencode(first)!r}")
        more.append(attributes([(os.fsencode(k), os.getxattr(path, k, follow_symlinks=False)) for k in os.listxattr(path, follow_symlinks=False)]))
        yield line(name, kind, stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid, st.st_mtime, " ".join(more))


def list_tar(path):
    """Hard links are named by the first name in byte order, as in list_directory()."""
    tar = tarfile.open(path, "r:", errorlevel=2)
    members = {}
    for m in tar:
        name = m.name.strip("/")
        members["" if name == "." else name.removeprefix("./")] = m
    target = {}  # name: the name under which the tar has the content
    for name, m in members.items():
        target[name] = m.linkname.removeprefix("./") if m.islnk() else name
    groups = {}
    for name, real in target.items():
        groups.setdefault(real, []).append(name)
    for name in sorted(members, key=os.fsencode):
        m = members[target[name]]
        kind = "directory" if m.isdir() else "link" if m.issym() else "fifo" if m.isfifo() else "char" if m.ischr() else "block" if m.isblk() else "file"
        mode = 0o777 if kind == "link" else m.mode
        more = []
        if kind == "file":
            more.append(f"{m.size} {sha256(tar.extractfile(m))}")
        elif kind == "link":
            more.append(repr(os.fsencode(m.linkname)))
        elif kind in ("char", "block"):
            more.append(f"{m.devmajor},{m.devminor}")
        group = groups[target[name]]
        if len(group) > 1:
            more.append(f"first={os.fsencode(min(group, key=os.fsencode))!r}")
        prefix = "SCHILY.xattr."
        more.append(attributes([(os.fsencode(k.removeprefix(prefix)), os.fsencode(v)) for k, v in m.pax_headers.items() if k.startswith(prefix)]))
        yield line(name, kind, mode, m.uid, m.gid, m.mtime, " ".join(more))


if __name__ == "__main__":
    command, path = sys.argv[1:]
    if command in ("make", "upper"):
        {"make": make, "upper": upper}[command](path)
    else:
        for text in {"directory": list_directory, "tar": list_tar}[command](path):
            print(text.rstrip())
