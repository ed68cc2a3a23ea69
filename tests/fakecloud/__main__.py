# SPDX-License-Identifier: Apache-2.0
"""A strict fake cloud for tests: EBS direct, EC2, STS, SSM and what gives credentials, on one port. See README.md.

    python3 tests/fakecloud serve STATE [--port N] [--tls-port N --cert FILE --key FILE] [--ready FILE]
    python3 tests/fakecloud materialize STATE AMI|SNAPSHOT FILE [--encrypted | --plain] [--region NAME]
    python3 tests/fakecloud certificate DIR
"""
import argparse
import json
import os
import signal
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True

import http1  # noqa: E402
import lineage  # noqa: E402
from app import App  # noqa: E402
from world import World  # noqa: E402


def serve(options):
    world = World(options.state)
    if options.settings:
        world.settings.change(json.loads(options.settings))
    app = App(world)
    world.machines.start()
    ports = {"port": http1.Server(app, "127.0.0.1", options.port, None).port}
    ports["url"] = "http://127.0.0.1:%d" % ports["port"]
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        ports["tls_port"] = http1.Server(app, "127.0.0.1", options.tls_port, context).port
        ports["tls_url"] = "https://127.0.0.1:%d" % ports["tls_port"]
    if options.ready:
        with open(options.ready + ".new", "w", encoding="utf-8") as f:
            json.dump({**ports, "pid": os.getpid()}, f)
        os.rename(options.ready + ".new", options.ready)
    print(json.dumps(ports), flush=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    # Threads that stall or sleep are not waited for; what is stored is stored. Machines end with us.
    os._exit(0)


def materialize(options):
    world = World(options.state)
    image = world.store.get("images", options.what)
    size = image["mappings"][0]["Ebs"]["VolumeSize"] if image else None
    key = image["mappings"][0]["Ebs"]["SnapshotId"] if image else options.what
    snapshot = world.store.get("snapshots", key)
    if snapshot is None:
        sys.exit("fakecloud: no image or snapshot '%s'" % options.what)
    encrypted = snapshot["encrypted"] or bool(world.settings["encryption_by_default"].get(snapshot["region"]))
    if options.encrypted or options.plain:
        encrypted = options.encrypted
    count = lineage.materialize(world, snapshot, options.file, encrypted, size)
    print(json.dumps({"snapshot": key, "blocks": count, "encrypted": encrypted}))


def certificate(options):
    """A certification authority and a certificate for 127.0.0.1 and localhost: ca.pem, cert.pem, key.pem."""
    def path(name):
        return os.path.join(options.directory, name)

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-days", "30", "-subj", "/CN=fakecloud CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", *key, "-keyout", path("key.pem"), "-out", path("csr.pem"), "-subj", "/CN=localhost")
    with open(path("ext"), "w", encoding="ascii") as f:
        f.write("subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:*.amazonaws.com\nbasicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", path("csr.pem"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial",
            "-out", path("cert.pem"), "-days", "30", "-extfile", path("ext"))


def main():
    parser = argparse.ArgumentParser(prog="fakecloud", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sub = commands.add_parser("serve")
    sub.add_argument("state")
    sub.add_argument("--port", type=int, default=0)
    sub.add_argument("--tls-port", type=int, default=0)
    sub.add_argument("--cert")
    sub.add_argument("--key")
    sub.add_argument("--ready", help="written when it listens: JSON with url, port, tls_url, tls_port, pid")
    sub.add_argument("--settings", help="JSON of settings to change at the start")
    sub.set_defaults(run=serve)
    sub = commands.add_parser("materialize")
    sub.add_argument("state")
    sub.add_argument("what")
    sub.add_argument("file")
    sub.add_argument("--encrypted", action="store_true")
    sub.add_argument("--plain", action="store_true")
    sub.set_defaults(run=materialize)
    sub = commands.add_parser("certificate")
    sub.add_argument("directory")
    sub.set_defaults(run=certificate)
    options = parser.parse_args()
    options.run(options)


main()
