# SPDX-License-Identifier: Apache-2.0
"""The init's metadata against services that answer as EC2 and OpenStack do, and as they should not.

metadata_cases.py PROGRAM ISO   as root, in network, mount, UTS and PID namespaces of its own. PROGRAM is tests/host's
firstboot_metadata, ISO a cidata disk. Prints "ok NAME" or "not ok NAME" for each case.
"""
import http.server
import os
import shutil
import subprocess
import sys
import threading

TOKEN = "abcDEF=="


class Service(http.server.BaseHTTPRequestHandler):
    documents = {}
    failures = 0  # that many requests are not answered at all
    asked = []

    def answer(self):
        Service.asked.append((self.command, self.path))
        if Service.failures:
            Service.failures -= 1
            self.close_connection = True
            return
        status, body = Service.documents.get(self.path, (404, b"no"))
        if self.path == "/latest/api/token":
            if self.command != "PUT" or not self.headers["X-aws-ec2-metadata-token-ttl-seconds"]:
                status = 405
        elif self.path.startswith("/latest/") and self.headers["X-aws-ec2-metadata-token"] != TOKEN:
            status = 401
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = answer

    def log_message(self, *args):
        pass


def run(program, *conf):
    subprocess.run(["hostname", "template"], check=True)
    p = subprocess.run([program, "Network=none", *conf], capture_output=True, text=True, timeout=100)
    return p.returncode, p.stdout + p.stderr


def aws(name=b"ip-10-0-0-1.ec2.internal", user=None, token=TOKEN.encode()):
    d = {"/latest/api/token": (200, token), "/latest/meta-data/local-hostname": (200, name)}
    if user is not None:
        d["/latest/user-data"] = (200, user)
    return d


def openstack(json, user=None):
    d = {"/openstack/latest/meta_data.json": (200, json)}
    if user is not None:
        d["/openstack/latest/user_data"] = (200, user)
    return d


AWS, ENV = "Metadata=aws", "UserData=env"
CASES = [
    # name, documents, failures before, configuration, exit code, what it prints
    ("aws: token and name", aws(), 0, [AWS], 0, ["hostname ip-10-0-0-1.ec2.internal\n"]),
    ("aws: user data as variables", aws(user=b"# x\nA=1\nB=two words\n"), 0, [AWS, ENV], 0, ["\nA=1\nB=two words\n"]),
    ("aws: user data is not asked for without UserData=env", aws(user=b"A=1\n"), 0, [AWS], 0, ["hostname ip-10"]),
    ("aws: three requests are lost", aws(), 3, [AWS], 0, ["hostname ip-10-0-0-1.ec2.internal\n"]),
    ("aws: no user data, no name", {"/latest/api/token": (200, TOKEN.encode())}, 0, [AWS, ENV], 0, ["hostname template\n"]),
    ("aws: a script is no environment file", aws(user=b"#!/bin/sh\nreboot\n"), 0, [AWS, ENV], 1,
     ['"reason": "metadata"', "no environment file: line 2 is not NAME=value"]),
    ("aws: user data may not say what runs", aws(user=b"LD_PRELOAD=/x.so\n"), 0, [AWS, ENV], 1, ["line 1 has no name"]),
    ("aws: a name that is none", aws(name=b"a b; reboot"), 0, [AWS], 1, ["what it says is no host name"]),
    ("aws: a token with a line end in it", aws(token=b"a\r\nX: y"), 0, [AWS], 1, ["no token of IMDSv2"]),
    ("openstack: the name of the instance", openstack(b'{"meta": {"hostname": "no"}, "hostname": "os-1.novalocal"}', b"A=1"), 0,
     ["Metadata=openstack", ENV], 0, ["hostname os-1.novalocal\nA=1\n"]),
    ("nocloud: an ISO labelled cidata", {}, 0, ["Metadata=nocloud", ENV], 0, ["hostname iso-name\nA=1\n"]),
]


def fake_disk(iso):
    """The program looks for /dev/NAME of every /sys/class/block/NAME."""
    for place in "/sys", "/dev":
        subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    os.makedirs("/sys/class/block/other")
    os.makedirs("/sys/class/block/cidata0")
    shutil.copyfile(iso, "/dev/cidata0")
    subprocess.run(["mknod", "/dev/null", "c", "1", "3"], check=True)


def main(program, iso):
    bad = False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "addr", "add", "169.254.169.254/32", "dev", "lo"], check=True)
    server = http.server.ThreadingHTTPServer(("169.254.169.254", 80), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake_disk(iso)
    for name, documents, failures, conf, code, wanted in CASES:
        Service.documents, Service.failures, Service.asked = documents, failures, []
        status, said = run(program, *conf)
        good = status == code and all(w in said for w in wanted)
        if ENV not in conf:
            good = good and not any("user" in path for _, path in Service.asked)
        print(("ok " if good else "not ok ") + "metadata: " + name)
        if not good:
            print(f"    exit code {status}, {said!r}, asked {Service.asked}")
            bad = True
    return bad


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
