# SPDX-License-Identifier: Apache-2.0
"""Balancers in front of real machines: one HAProxy for each listener, at 127.0.0.1 and the listener's port, and a health check of each target
as its target group says. HAProxy is told by its runtime socket who may have requests: who is healthy and not draining.

After a registration one check that passes makes a target healthy; later HealthyThresholdCount of them do (User Guide of Application Load
Balancers, "Health checks for Application Load Balancer target groups").
"""
import http.client
import os
import socket
import threading
import time

PATIENCE_S = 10


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Check(threading.Thread):
    """Asks one target again and again until it is told to stop."""

    def __init__(self, port, group, lasts):
        super().__init__(daemon=True)
        self.port, self.path, self.codes, self.checks, self.lasts = port, group["path"], group["matcher"], group["checks"], lasts
        self.over = threading.Event()
        self.passed = self.failed = 0
        self.verdict = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")

    def run(self):
        while not self.over.is_set():
            self.count(self.ask())
            self.over.wait(self.lasts(self.checks["interval"]))

    def ask(self):
        """None, or (reason, description) of its failure."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.lasts(self.checks["timeout"]))
        try:
            connection.request("GET", self.path, headers={"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"})
            answer = connection.getresponse()
            answer.read()
        except TimeoutError:
            return "Target.Timeout", "Request timed out"
        except (OSError, http.client.HTTPException):
            return "Target.FailedHealthChecks", "Health checks failed"
        finally:
            connection.close()
        if not matches(answer.status, self.codes):
            return "Target.ResponseCodeMismatch", "Health checks failed with these codes: [%d]" % answer.status
        return None

    def count(self, failure):
        state = self.verdict[0]
        self.passed, self.failed = (0, self.failed + 1) if failure else (self.passed + 1, 0)
        if failure and self.failed >= self.checks["unhealthy"]:
            self.verdict = ("unhealthy", *failure)
        elif not failure and self.passed >= (1 if state == "initial" else self.checks["healthy"]):
            self.verdict = ("healthy", None, None)


def matches(status, codes):
    """codes: "200", "200,202", "200-299"."""
    for part in codes.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return True
    return False


class Proxy:
    """HAProxy of one listener. servers: (group, target) -> (port, ready), as it was told."""

    def __init__(self, directory, listener):
        self.directory, self.listener = directory, listener
        self.socket = os.path.join(directory, "haproxy-%d.sock" % listener["port"])
        self.process = None
        self.servers = {}

    def configuration(self):
        lines = ["global", "\tnbthread 1", "\tstats socket %s mode 600 level admin" % self.socket, "", "defaults", "\tmode http",
                 "\toption http-server-close", "\ttimeout connect 5s", "\ttimeout client 60s", "\ttimeout server 60s", "",
                 "frontend listener", "\tbind 127.0.0.1:%d" % self.listener["port"], "\tmaxconn 1000",
                 "\tdefault_backend " + backend(self.listener["groups"][0])]
        for arn in self.listener["groups"]:
            lines += ["", "backend " + backend(arn), "\tbalance roundrobin"]
        return "\n".join(lines) + "\n"

    def start(self, bound):
        """bound: starts a process that ends with us."""
        path = os.path.join(self.directory, "haproxy-%d.cfg" % self.listener["port"])
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.configuration())
        program = "haproxy" if any(os.access(os.path.join(d, "haproxy"), os.X_OK) for d in os.get_exec_path()) else "/usr/sbin/haproxy"
        self.process = bound([program, "-db", "-f", path])
        self.servers = {}

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def tell(self, *commands):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(PATIENCE_S)
            s.connect(self.socket)
            s.sendall(";".join(commands).encode() + b"\n")
            said = b""
            while data := s.recv(65536):
                said += data
        return said.decode().strip()

    def move(self, wanted):
        """wanted: as servers. One whose port is another one than before is another server."""
        for key, (port, _) in list(self.servers.items()):
            if key not in wanted or wanted[key][0] != port:
                name = "%s/%s" % (backend(key[0]), key[1])
                said = self.tell("set server %s state maint" % name, "shutdown sessions server " + name, "del server " + name)
                if "Server deleted" not in said and "No such server" not in said:
                    raise OSError("haproxy: %s: %s" % (name, said))
                del self.servers[key]
        for key, (port, ready) in wanted.items():
            name = "%s/%s" % (backend(key[0]), key[1])
            if key not in self.servers:
                said = self.tell("add server %s 127.0.0.1:%d" % (name, port))
                if "New server registered" not in said and "Already exists a server" not in said:
                    raise OSError("haproxy: %s: %s" % (name, said))
                self.servers[key] = (port, None)
            if self.servers[key][1] != ready:
                said = self.tell("set server %s state %s" % (name, "ready" if ready else "drain"))
                if said:
                    raise OSError("haproxy: %s: %s" % (name, said))
                self.servers[key] = (port, ready)


def backend(arn):
    return arn.rpartition("/")[2]


class Proxies:
    def __init__(self, world, machines):
        self.world, self.machines = world, machines
        self.checks = {}
        self.proxies = {}

    def target_health(self, arn, instance_id):
        check = self.checks.get((arn, instance_id))
        return check.verdict if check else ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")

    def turn(self):
        with self.world.lock:
            groups = {g["arn"]: {**g, "targets": dict(g["targets"])} for g in self.world.store.all("target-groups")}
            listeners = self.world.store.all("listeners")
        ports = self.watch(groups)
        for listener in listeners:
            proxy = self.proxies.setdefault(listener["arn"], Proxy(self.world.directory, listener))
            try:
                if not proxy.runs():
                    proxy.start(self.machines.bound)
                proxy.move(self.wanted(listener, ports))
            except OSError as e:
                self.machines.complain("balancer at port %d: %s" % (listener["port"], e))

    def watch(self, groups):
        """Each target of a machine that runs has its check, and no other. Returns (group, target) -> port."""
        ports = {}
        for arn, group in groups.items():
            for key, target in group["targets"].items():
                machine = self.machines.machines.get(key)
                if machine is None or not machine.runs():
                    continue
                try:
                    ports[arn, key] = machine.forward(target["port"])
                    asked = machine.forward(group["check_port"] or target["port"])
                except OSError as e:
                    self.machines.complain("%s: %s" % (key, e))
                    continue
                if (arn, key) not in self.checks:
                    self.checks[arn, key] = Check(asked, group, self.world.fleet.lasts)
                    self.checks[arn, key].start()
        for key in [k for k in self.checks if k not in ports]:
            self.checks.pop(key).over.set()
        return ports

    def wanted(self, listener, ports):
        """Ready: healthy as DescribeTargetHealth says it, so neither draining nor an instance that is being ended."""
        with self.world.lock:
            return {(arn, key): (port, self.world.fleet.target_health(arn, key, time.time())[0] == "healthy")
                    for (arn, key), port in ports.items() if arn in listener["groups"]}
