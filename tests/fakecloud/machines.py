# SPDX-License-Identifier: Apache-2.0
"""Instances that are real machines, when the setting "machines" says so: {"memory": MiB, "cpus": N, "stop_s": S}, each with a default.

An instance's disk is what the snapshot of its image holds, read when it is launched; firmware is UEFI, the disk NVMe, the console a file.
Its end, by itself or by order, is that of its process. Targets are judged by real requests and get theirs through HAProxy: proxies.py.

One thread of its own moves all of it, and starts all processes: each of them is killed by the kernel when the thread that started it is gone
(prctl(2), PR_SET_PDEATHSIG), so that nothing outlives this cloud, however that ends.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import traceback

import lineage
from proxies import Proxies, free_port

TURN_S = 0.2
LAST_REQUESTS_S = 1  # from when the balancer sends it nothing more
PRESS_AGAIN_S = 5
MONITOR_S = 60  # qemu's patience with us is ours with it: it may be slow to start on a busy machine
CONSOLE_MAX = 65536  # bytes of GetConsoleOutput
DEFAULTS = {"memory": 256, "cpus": 1, "stop_s": 30}
FIRMWARE = [("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
            ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd")]


def bound(command, **more):
    """A process that ends with the calling thread."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], **more)


def has_kvm():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        words = f.read().split()
    return ("vmx" in words or "svm" in words) and os.access("/dev/kvm", os.R_OK | os.W_OK)


class Monitor:
    """QEMU's monitor, QMP: commands and answers in JSON, one a line; what it tells unasked is passed over."""

    def __init__(self, sock):
        sock.settimeout(MONITOR_S)
        self.sock, self.lines = sock, sock.makefile("r", encoding="utf-8")
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        self.sock.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self.lines:
            answer = json.loads(line)
            if "error" in answer:
                raise OSError("%s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]
        raise OSError("%s: the machine is gone" % command)


class Machine:
    def __init__(self, directory, options):
        self.directory, self.options = directory, options
        self.process = self.monitor = None
        self.forwards = {}
        self.stopping_at = self.pressed_at = None

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self):
        """The disk is there."""
        code, variables = next(pair for pair in FIRMWARE if os.path.exists(pair[0]))
        shutil.copyfile(variables, self.path("vars.fd"))
        ours, its = socket.socketpair()
        accel = "kvm" if has_kvm() else "tcg,tb-size=64"
        self.process = bound([
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-accel", accel,
            "-cpu", "host" if accel == "kvm" else "max", "-m", str(self.options["memory"]), "-smp", str(self.options["cpus"]),
            "-drive", "if=pflash,format=raw,readonly=on,file=" + code, "-drive", "if=pflash,format=raw,file=" + self.path("vars.fd"),
            "-drive", "if=none,id=root,format=raw,cache=unsafe,file=" + self.path("disk.raw"),
            "-device", "nvme,serial=vol-0fake,drive=root,bootindex=1", "-netdev", "user,id=net",
            "-device", "virtio-net-pci,netdev=net,romfile=",
            "-chardev", "file,id=console,path=" + self.path("console"), "-serial", "chardev:console", "-qmp", "stdio",
        ], stdin=its, stdout=its)
        its.close()
        self.monitor = Monitor(ours)

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def forward(self, port):
        """The port of 127.0.0.1 that leads to this one of the guest."""
        if port not in self.forwards:
            ours = free_port()
            said = self.monitor.execute("human-monitor-command", **{
                "command-line": "hostfwd_add net tcp:127.0.0.1:%d-:%d" % (ours, port)})
            if said.strip():
                raise OSError("hostfwd_add: " + said.strip())
            self.forwards[port] = ours
        return self.forwards[port]

    def stop(self, now):
        """Presses the power button, again and again, and takes the power away in the end."""
        self.stopping_at = self.stopping_at or now
        if now > self.stopping_at + self.options["stop_s"]:
            self.process.kill()
        elif now > (self.pressed_at + PRESS_AGAIN_S if self.pressed_at else self.stopping_at + LAST_REQUESTS_S):
            self.pressed_at = now
            self.monitor.execute("system_powerdown")

    def remove(self):
        """All but what it said."""
        if self.runs():
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        for name in ("disk.raw", "vars.fd"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))


class Machines:
    bound = staticmethod(bound)

    def __init__(self, world):
        self.world = world
        self.machines = {}
        self.proxies = Proxies(world, self)
        self.said = None

    def are_on(self):
        return self.world.settings["machines"] is not None

    def start(self):
        threading.Thread(target=self.run, name="machines", daemon=True).start()

    def run(self):
        while True:
            time.sleep(TURN_S)
            if self.are_on():
                try:
                    self.turn()
                except Exception:  # pylint: disable=broad-except # its end would be that of all machines
                    traceback.print_exc()

    def complain(self, text):
        if text != self.said:
            print("fakecloud: " + text, file=sys.stderr, flush=True)
        self.said = text

    # What the fleet asks
    def runs(self, instance_id):
        machine = self.machines.get(instance_id)
        return machine is not None and machine.runs()

    def is_awaited(self, instance):
        """Its process is to be started still."""
        return self.are_on() and instance["state"] == "pending" and instance["id"] not in self.machines

    def target_health(self, arn, instance_id):
        return self.proxies.target_health(arn, instance_id)

    def console(self, instance_id):
        try:
            with open(os.path.join(self.directory(instance_id), "console"), "rb") as f:
                f.seek(max(0, os.fstat(f.fileno()).st_size - CONSOLE_MAX))
                return f.read()
        except FileNotFoundError:
            return b""

    def directory(self, instance_id):
        return os.path.join(self.world.directory, "machines", instance_id)

    def rows(self):
        return {key: {"pid": m.process.pid if m.process else None, "runs": m.runs(), "forwards": m.forwards}
                for key, m in self.machines.items()}

    # Its thread
    def turn(self):
        """First who gets requests, then whose power goes."""
        with self.world.lock:
            self.world.fleet.advance()
            there = [dict(i) for i in self.world.store.all("instances") if i["state"] != "terminated" or i["id"] in self.machines]
        self.proxies.turn()
        for instance in there:
            try:
                self.look(instance)
            except (OSError, ValueError, StopIteration, KeyError) as e:
                self.complain("%s: %s: %s" % (instance["id"], type(e).__name__, e))
                self.ended(instance, "Server.InternalError", str(e))
                if instance["id"] in self.machines:
                    self.machines[instance["id"]].remove()

    def look(self, instance):
        machine, state = self.machines.get(instance["id"]), instance["state"]
        alive = state in ("pending", "running") and (instance["lifecycle"], state) != ("Terminating", "pending")
        if machine is None:
            if state == "pending" and alive:
                self.launch(instance)
            elif alive:
                self.ended(instance, "Server.InternalError", "its host is gone")
        elif state == "terminated":
            machine.remove()
            del self.machines[instance["id"]]
        elif not machine.runs():
            if alive:
                self.ended(instance, "Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
        elif not alive:
            machine.stop(time.time())

    def launch(self, instance):
        with self.world.lock:
            image = self.world.store.get("images", instance["image"])
            disk = image["mappings"][0]["Ebs"]
            snapshot = self.world.store.get("snapshots", disk["SnapshotId"])
        if image["architecture"] != "x86_64" or image.get("boot_mode") not in ("uefi", "uefi-preferred"):
            raise ValueError("no machine for %s by %s" % (image["architecture"], image.get("boot_mode")))
        machine = Machine(self.directory(instance["id"]), {**DEFAULTS, **self.world.settings["machines"]})
        os.makedirs(machine.directory)
        self.machines[instance["id"]] = machine
        lineage.materialize(self.world, snapshot, machine.path("disk.raw"), snapshot["encrypted"], disk.get("VolumeSize"))
        machine.start()

    def ended(self, instance, code, message):
        """By itself: it is stopped, or terminated, as its template says."""
        with self.world.lock:
            kept = self.world.store.get("instances", instance["id"])
            if kept["state"] not in ("pending", "running"):
                return
            template = self.world.fleet.refreshes.resolve(kept, kept["template"]) or {"data": {}}
            terminated = template["data"].get("InstanceInitiatedShutdownBehavior") == "terminate"
            kept.update({"state": "terminated" if terminated else "stopped", "ended": time.time(),
                         "reason": {"code": code, "message": "%s: %s" % (code, message)}})
            self.world.fleet.save(kept)
