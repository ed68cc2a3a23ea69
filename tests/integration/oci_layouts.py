# SPDX-License-Identifier: Apache-2.0
"""Container images for tests/integration/oci.sh.

   oci_layouts.py whiteouts DIR          the whiteouts of overlayfs in DIR become those of OCI
   oci_layouts.py platforms LAYOUT OUT   OUT: an index in an index with LAYOUT's image for amd64, one for arm64, and an attestation
   oci_layouts.py nameless TAR OUT       a docker-archive as Docker 25 saves an image without a name: in two forms, one of them empty
   oci_layouts.py bad DIR                one layout for each thing that can be wrong with one, DIR/NAME
"""
import gzip, hashlib, io, json, os, shutil, stat, subprocess, sys, tarfile

OCI = "application/vnd.oci.image."
INDEX, MANIFEST, CONFIG, LAYER = OCI + "index.v1+json", OCI + "manifest.v1+json", OCI + "config.v1+json", OCI + "layer.v1.tar"
MIB = 1 << 20


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(path + "/blobs/sha256", exist_ok=True)
        with open(path + "/oci-layout", "w") as f:
            f.write('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        with open(self.place(digest), "wb") as f:
            f.write(data)
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}

    def place(self, digest):
        return f"{self.path}/blobs/sha256/{digest.removeprefix('sha256:')}"

    def document(self, value, media_type, **more):
        return self.blob(json.dumps(value).encode(), media_type, **more)

    def image(self, layers, architecture="amd64", diff_ids=None, config_type=CONFIG, **more):
        """The manifest's descriptor. @layers: of (blob, plain tar)."""
        config = {"os": "linux", "architecture": architecture, "config": {"Cmd": ["/usr/bin/application"]},
                  "rootfs": {"type": "layers", "diff_ids": diff_ids or ["sha256:" + hashlib.sha256(p).hexdigest() for _, p in layers]}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": self.document(config, config_type),
                    "layers": [self.blob(b, LAYER + "+gzip") for b, _ in layers]}
        return self.document(manifest, MANIFEST, **more)

    def index(self, *descriptors):
        with open(self.path + "/index.json", "w") as f:
            json.dump({"schemaVersion": 2, "manifests": list(descriptors)}, f)


def tar_of(*members):
    """(name, content), or (name, type, link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for m in members:
            info = tarfile.TarInfo(m[0])
            info.mode = 0o755
            if len(m) == 3:
                info.type, info.linkname = m[1], m[2]
                tar.addfile(info)
            else:
                info.size = len(m[1])
                tar.addfile(info, io.BytesIO(m[1]))
    return out.getvalue()


def layer(*members):
    plain = tar_of(*members)
    return gzip.compress(plain, mtime=0), plain


GOOD = layer(("usr/bin/application", b"\x7fELF"))


def layout(top, name, *layers, **more):
    l = Layout(f"{top}/{name}")
    l.index(l.image(layers or (GOOD,), **more))
    return l


def manifest_of(l):
    return json.load(open(l.path + "/index.json"))["manifests"][0]["digest"]


def document_of(l, digest):
    return json.load(open(l.place(digest)))


def flip(path, at=-10):
    data = bytearray(open(path, "rb").read())
    data[at] ^= 1
    with open(path, "wb") as f:
        f.write(data)


def bomb(compress):
    """400 MiB of zeros in a few hundred KB, in parts that are compressed alone."""
    info = tarfile.TarInfo("zeros")
    info.size = 400 * MIB
    return compress(info.tobuf()) + compress(bytes(MIB)) * 400 + compress(bytes(1024)), b""


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def bad(top):
    l = layout(top, "corrupt-layer")
    flip(l.place(document_of(l, manifest_of(l))["layers"][0]["digest"]))
    l = layout(top, "long-layer")
    with open(l.place(document_of(l, manifest_of(l))["layers"][0]["digest"]), "ab") as f:
        f.write(b"x")
    l = layout(top, "missing-layer")
    os.unlink(l.place(document_of(l, manifest_of(l))["layers"][0]["digest"]))
    l = layout(top, "corrupt-config")
    flip(l.place(document_of(l, manifest_of(l))["config"]["digest"]))
    l = layout(top, "corrupt-manifest")
    flip(l.place(manifest_of(l)))
    l = layout(top, "missing-manifest")
    os.unlink(l.place(manifest_of(l)))
    layout(top, "wrong-diff-id", diff_ids=["sha256:" + "0" * 64])
    layout(top, "two-diff-ids", diff_ids=["sha256:" + "0" * 64] * 2)
    layout(top, "arm64-by-config", architecture="arm64")
    l = layout(top, "arm64")
    l.index(l.image((GOOD,), "arm64", platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
            l.image((GOOD,), "s390x", platform={"os": "linux", "architecture": "s390x"}))
    layout(top, "chart", config_type="application/vnd.cncf.helm.config.v1+json")
    l = layout(top, "schema1")
    l.index({**l.image((GOOD,)), "mediaType": "application/vnd.docker.distribution.manifest.v1+prettyjws"})
    l = layout(top, "several")
    l.index(*(l.image((GOOD, layer((n, b"x"))), annotations={"org.opencontainers.image.ref.name": n}) for n in ("one", "two")))
    l = layout(top, "empty")
    l.index()
    l = layout(top, "version")
    with open(l.path + "/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion": "2.0.0"}')
    l = layout(top, "no-marker")
    os.unlink(l.path + "/oci-layout")
    l = layout(top, "not-json")
    with open(l.path + "/index.json", "w") as f:
        f.write("{")
    l = layout(top, "digest-path")
    l.index({**l.image((GOOD,)), "digest": "sha256:../../../../../../etc/passwd"})
    l = layout(top, "fifo")
    os.unlink(l.place(manifest_of(l)))
    os.mkfifo(l.place(manifest_of(l)))

    l = layout(top, "deep")
    d = l.image((GOOD,))
    for _ in range(20):
        d = l.document({"schemaVersion": 2, "manifests": [d]}, INDEX)
    l.index(d)
    l = layout(top, "wide")
    d = l.document({"schemaVersion": 2, "manifests": [l.image((GOOD,))]}, INDEX)
    l.index(*[d] * 300)

    layout(top, "no-tar", (gzip.compress(b"no tar" * 200), b"no tar" * 200))
    layout(top, "not-compressed-right", (GOOD[0][:-20] + bytes(20), GOOD[1]))
    layout(top, "path-up", layer(("../../etc/escaped", b"x")))
    layout(top, "path-absolute-up", layer(("/../etc/escaped", b"x")))
    layout(top, "through-link", layer(("a", tarfile.SYMTYPE, "/etc"), ("a/escaped", b"x")))
    layout(top, "hard-link-out", layer(("a", tarfile.LNKTYPE, "../../etc/passwd")))
    layout(top, "whiteout-of-nothing", layer((".wh.", b"")))
    layout(top, "bomb-gzip", bomb(lambda b: gzip.compress(b, mtime=0)))
    layout(top, "bomb-zstd", bomb(zstd))
    l = layout(top, "many-layers")
    l.index(l.image([GOOD] * 513))


def platforms(source, out):
    shutil.copytree(source, out)
    l = Layout(out)
    amd64 = {**json.load(open(out + "/index.json"))["manifests"][0], "platform": {"os": "linux", "architecture": "amd64"}}
    arm64 = l.image((GOOD,), "arm64", platform={"os": "linux", "architecture": "arm64", "variant": "v8"})
    proof = {**l.document({"schemaVersion": 2, "layers": []}, MANIFEST), "platform": {"os": "unknown", "architecture": "unknown"}}
    amd64.pop("annotations", None)
    inner = l.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [arm64, proof, amd64]}, INDEX)
    outer = l.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [inner]}, INDEX,
                       annotations={"org.opencontainers.image.ref.name": "all"})
    l.index(outer)
    print(inner["digest"])


def nameless(source, out):
    with tarfile.open(source) as old, tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as new:
        for m in old:
            data = old.extractfile(m).read() if m.isfile() else None
            if m.name == "manifest.json":
                data = json.dumps([{**i, "RepoTags": None} for i in json.loads(data)]).encode()
                m.size = len(data)
            new.addfile(m, io.BytesIO(data) if data is not None else None)
        for name, text in ("oci-layout", '{"imageLayoutVersion": "1.0.0"}'), ("index.json", '{"schemaVersion": 2, "manifests": null}'):
            m = tarfile.TarInfo(name)
            m.size = len(text)
            new.addfile(m, io.BytesIO(text.encode()))


def whiteouts(top):
    for root, dirs, files in os.walk(top, topdown=False):
        st = os.lstat(root)
        for name in files:
            path = os.path.join(root, name)
            if stat.S_ISCHR(os.lstat(path).st_mode):
                os.unlink(path)
                open(os.path.join(root, ".wh." + name), "w").close()
        if "trusted.overlay.opaque" in os.listxattr(root):
            os.removexattr(root, "trusted.overlay.opaque")
            open(os.path.join(root, ".wh..wh..opq"), "w").close()
        os.utime(root, ns=(st.st_atime_ns, st.st_mtime_ns))


if __name__ == "__main__":
    {"whiteouts": whiteouts, "nameless": nameless, "platforms": platforms, "bad": bad}[sys.argv[1]](*sys.argv[2:])
