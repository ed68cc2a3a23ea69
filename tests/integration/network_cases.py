# SPDX-License-Identifier: Apache-2.0
"""The init's network against DHCP servers that lose, repeat, lie and vanish.

network_cases.py PROGRAM [CASE...]   as root, in a network and a mount namespace of its own: this is the server's end of a
cable, PROGRAM (tests/host/firstboot_network) runs in a further namespace at the other end. Prints "ok NAME" or
"not ok NAME" for each case.
"""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 40  # seconds for whatever has to happen; a loaded machine is slow
SERVER, OTHER, CLIENT = "10.9.0.1", "10.9.0.2", "10.9.0.51"
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


class Failure(Exception):
    pass


class Machine:
    """The program at the other end of cables called s0, s1, ...; its own ends are eth0, eth1, ..."""

    def __init__(self, program, *conf, cables=1):
        script = "mount -t sysfs none /sys && mount -t tmpfs none /run && exec \"$@\""
        self.process = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", script, "-", program, *conf],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""
        pid = self.process.pid
        self.until(lambda: os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"), "a namespace")
        for i in range(cables):
            ip("link", "add", f"s{i}", "type", "veth", "peer", "name", f"eth{i}", "netns", str(pid))
            ip("addr", "add", f"10.9.{i}.1/24", "dev", f"s{i}")
            ip("link", "set", f"s{i}", "up")

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise Failure(f"never came: {what}\n{self.output()}")
            time.sleep(0.02)

    def output(self):
        try:
            self.text += self.process.stdout.read() or ""
        except (BlockingIOError, TypeError):
            pass
        return self.text

    def records(self, state):
        lines = [line for line in self.output().splitlines() if line.startswith("mkappliance: ")]
        return [r for r in (json.loads(line[13:]) for line in lines) if r.get("state") == state]

    def started(self):
        return "started\n" in self.output()

    def ask(self, *words):
        out = subprocess.run(["nsenter", "-t", str(self.process.pid), "-n", "ip", "-j", *words], check=True,
                             stdout=subprocess.PIPE).stdout
        return json.loads(out or "[]")

    def addresses(self, device="eth0", family="inet"):
        return [f"{a['local']}/{a['prefixlen']}" for link in self.ask("addr", "show", "dev", device)
                for a in link.get("addr_info", []) if a["family"] == family and a["scope"] == "global"]

    def resolv(self):
        try:
            with open(f"/proc/{self.process.pid}/root/run/resolv.conf") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("it does not end by SIGTERM")


def quad(address):
    return socket.inet_aton(address)


def option(number, value):
    return bytes([number, len(value)]) + value


class Server:
    """A DHCP server made of what a case wants of it."""

    def __init__(self, seconds=4, address=CLIENT, netmask="255.255.255.0", router=SERVER, dns=SERVER, more=b""):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"s0")
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.s.bind(("", 67))
        self.s.settimeout(0.05)
        self.seconds, self.address, self.netmask, self.router, self.dns, self.more = (
            seconds, address, netmask, router, dns, more)
        self.seen = []

    def receive(self):
        """The next query, or None."""
        try:
            data, source = self.s.recvfrom(2048)
        except TimeoutError:
            return None
        options, at = {}, 240
        while at < len(data) and data[at] != 255:
            if data[at] == 0:
                at += 1
                continue
            options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
        q = {"type": options[53][0], "xid": data[4:8], "mac": data[28:34], "ciaddr": socket.inet_ntoa(data[12:16]),
             "source": source[0], "options": options}
        self.seen.append(q)
        return q

    def message(self, q, kind, server=SERVER, address=None, xid=None, mac=None):
        options = option(53, bytes([kind])) + option(54, quad(server))
        if kind != NAK:
            options += option(51, struct.pack(">I", self.seconds)) + option(1, quad(self.netmask))
            options += option(3, quad(self.router)) + option(6, quad(self.dns)) + self.more
        yiaddr = b"\0\0\0\0" if kind == NAK else quad(address or self.address)
        return (bytes([2, 1, 6, 0]) + (xid or q["xid"]) + b"\0" * 8 + yiaddr + b"\0" * 8 +
                (mac or q["mac"]) + b"\0" * 202 + b"\x63\x82\x53\x63" + options + b"\xff")

    def send(self, data, q):
        to = q["source"] if q["source"] != "0.0.0.0" else "255.255.255.255"
        self.s.sendto(data, (to, 68))

    def answer(self, q):
        if q["type"] == DISCOVER:
            self.send(self.message(q, OFFER), q)
        elif q["type"] == REQUEST:
            self.send(self.message(q, ACK), q)

    def serve(self, machine, condition, what, answer=None):
        """Answers until the condition holds."""
        def one():
            q = self.receive()
            if q:
                (answer or self.answer)(q)
            return condition()
        machine.until(one, what)


def expect(holds, what):
    if not holds:
        raise Failure(what)


# ---- the cases ----

def case_renewal(program):
    """renews half-way, by unicast from its address, and takes a new DNS server"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server()
    s.serve(m, m.started, "a lease")
    expect(m.addresses() == [CLIENT + "/24"], f"addresses {m.addresses()}")
    expect("nameserver 10.9.0.1\n" in m.resolv(), m.resolv())
    s.dns = "9.9.9.9"
    s.serve(m, lambda: "9.9.9.9" in m.resolv(), "the new server in resolv.conf")
    renewal = [q for q in s.seen if q["ciaddr"] == CLIENT][0]
    expect(renewal["source"] == CLIENT and 54 not in renewal["options"] and 50 not in renewal["options"], str(renewal))
    expect("10.9.0.1\n" not in m.resolv(), m.resolv())
    count = len(s.seen)
    s.serve(m, lambda: len(s.seen) >= count + 2, "two more renewals")
    expect(len(m.records("up")) == 2 and not m.records("lost"), m.output())
    m.end()


def case_lost(program):
    """three DISCOVERs and two REQUESTs are lost"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server(seconds=3600)
    lose = {DISCOVER: 3, REQUEST: 2}

    def answer(q):
        lose[q["type"]] -= 1
        if lose[q["type"]] < 0:
            s.answer(q)
    s.serve(m, m.started, "a lease", answer)
    m.end()


def case_duplicate(program):
    """every answer comes three times"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server(seconds=3600)

    def answer(q):
        for _ in range(3):
            s.answer(q)
    s.serve(m, m.started, "a lease", answer)
    time.sleep(0.5)
    expect(len(m.records("up")) == 1 and not m.records("lost"), m.output())
    m.end()


def case_malformed(program):
    """before each answer two hundred that are cut, too long or altered"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server(seconds=3600)
    rnd = random.Random(1)

    def answer(q):
        good = s.message(q, OFFER if q["type"] == DISCOVER else ACK)
        for _ in range(200):
            bad = bytearray(good)
            kind = rnd.randrange(3)
            if kind == 0:
                bad = bad[:rnd.randrange(len(bad))]
            elif kind == 1:
                bad = bad[:-1] + bytes(rnd.randrange(256) for _ in range(rnd.randrange(900)))
            bad[4:8] = q["xid"] if kind else bad[4:8]
            for _ in range(4 if kind else 0):
                at = rnd.randrange(240, len(bad))
                # Not its own server or lease: those could be believed.
                bad[at] = rnd.randrange(256)
            if bytes(bad[16:20]) == quad(CLIENT):
                bad[16] = 127
            s.send(bytes(bad), q)
        s.answer(q)
    s.serve(m, m.started, "a lease", answer)
    expect(m.addresses() == [CLIENT + "/24"], f"addresses {m.addresses()}")
    m.end()


def case_hostile(program):
    """another server's ACK and NAK, other addresses, other exchanges, addresses that nobody can have"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server(seconds=4)

    def answer(q):
        wrong = bytes([q["xid"][0] ^ 1]) + q["xid"][1:]
        lies = [s.message(q, ACK, xid=wrong), s.message(q, NAK, xid=wrong), s.message(q, ACK, mac=b"\2\0\0\0\0\1"),
                s.message(q, ACK, address="127.0.0.1"), s.message(q, ACK, address="224.0.0.1"),
                s.message(q, ACK, address="0.0.0.0"), s.message(q, ACK, server="255.255.255.255")]
        if q["type"] == REQUEST:
            lies += [s.message(q, ACK, server=OTHER, address="10.9.0.66"), s.message(q, NAK, server=OTHER),
                     s.message(q, ACK, address="10.9.0.66"), s.message(q, OFFER, address="10.9.0.66")]
        for lie in lies:
            s.send(lie, q)
        s.answer(q)
    s.serve(m, m.started, "a lease", answer)
    s.serve(m, lambda: len([q for q in s.seen if q["ciaddr"] == CLIENT]) >= 3, "three renewals", answer)
    expect(m.addresses() == [CLIENT + "/24"] and not m.records("lost"), m.output())
    m.end()


def case_refused(program):
    """the first two requests are refused, and later a renewal: the address goes and another comes"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server()
    refusals = 2

    def answer(q):
        nonlocal refusals
        if q["type"] == REQUEST and refusals:
            refusals -= 1
            s.send(s.message(q, NAK), q)
        else:
            s.answer(q)
    s.serve(m, m.started, "a lease", answer)
    refusals, s.address = 1, "10.9.0.52"
    s.serve(m, lambda: len(m.records("up")) == 2, "another lease", answer)
    expect(len(m.records("lost")) == 1, m.output())
    expect(m.addresses() == ["10.9.0.52/24"], f"addresses {m.addresses()}")
    m.end()


def case_expiry(program):
    """the server vanishes: the address goes with the lease, and comes back with the server"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server()
    s.serve(m, m.started, "a lease")
    s.serve(m, lambda: m.records("lost"), "the end of the lease", lambda q: None)
    expect(m.addresses() == [] and m.ask("route") == [], f"{m.addresses()} {m.ask('route')}")
    expect("nameserver" not in m.resolv(), m.resolv())
    kinds = [(q["type"], q["source"]) for q in s.seen if q["ciaddr"] == CLIENT]
    expect((REQUEST, CLIENT) in kinds, f"no renewal or no rebinding: {kinds}")
    s.serve(m, lambda: len(m.records("up")) == 2, "a lease again")
    expect(m.addresses() == [CLIENT + "/24"], f"addresses {m.addresses()}")
    m.end()


def case_flood(program):
    """a flood to its port from before the first packet"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0"), Server(seconds=3600)
    flood = subprocess.Popen([sys.executable, "-c", """
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"s0")
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
while os.getppid() != 1:
    try:
        s.sendto(os.urandom(300), ("255.255.255.255", 68))
    except OSError:
        pass
"""])
    try:
        s.serve(m, m.started, "a lease")
    finally:
        flood.kill()
        flood.wait()
    m.end()


def case_routes(program):
    """a /32 with its router elsewhere, classless routes, MTU and search domains"""
    m = Machine(program, "Network=dhcp", "Interface=eth0")
    more = (option(121, bytes([32, 169, 254, 169, 254, 10, 9, 0, 1, 0, 10, 9, 0, 1])) + option(26, struct.pack(">H", 1400)) +
            option(119, b"\x01a\x07example\0\x01b\xc0\x02") + option(15, b"unused.example"))
    s = Server(seconds=3600, netmask="255.255.255.255", router="10.9.0.77", more=more)
    s.serve(m, m.started, "a lease")
    routes = {r["dst"]: r for r in m.ask("route")}
    expect(routes["default"]["gateway"] == SERVER and routes["169.254.169.254"]["gateway"] == SERVER, str(routes))
    expect(m.ask("link", "show", "dev", "eth0")[0]["mtu"] == 1400, "MTU")
    expect("search a.example b.example\n" in m.resolv(), m.resolv())
    expect(s.seen[0]["options"].get(12) == b"host", "it does not tell its name")
    m.end()


def case_static(program):
    """fixed addresses of both families, and not one DHCP packet"""
    m = Machine(program, "Network=static", "Interface=eth0", "Address=10.9.0.77/24", "Address=2001:db8::77/64",
                "Gateway=10.9.0.1", "Gateway=2001:db8::1", "DNS=10.9.0.1", "DNS=2001:db8::53", "Search=one.example two.example")
    s = Server()
    s.serve(m, m.started, "the start")
    expect(m.addresses() == ["10.9.0.77/24"], f"addresses {m.addresses()}")
    expect("2001:db8::77/64" in m.addresses(family="inet6"), "IPv6")
    expect(m.ask("route")[0]["gateway"] == "10.9.0.1", "route")
    expect(any(r["dst"] == "default" and r.get("gateway") == "2001:db8::1" for r in m.ask("-6", "route")), "IPv6 route")
    expect(m.resolv() == "nameserver 10.9.0.1\nnameserver 2001:db8::53\nsearch one.example two.example\n", m.resolv())
    time.sleep(0.5)
    s.receive()
    expect(not s.seen, "it speaks DHCP")
    m.end()


def case_two(program):
    """two interfaces: one by DHCP, one fixed; it waits for both"""
    m = Machine(program, "Network=dhcp", "Interface=eth0", "Interface=eth1", "Address=eth1 10.9.1.77/24", cables=2)
    s = Server(seconds=3600)
    s.serve(m, m.started, "the start")
    expect(m.addresses("eth0") == [CLIENT + "/24"] and m.addresses("eth1") == ["10.9.1.77/24"], m.output())
    m.end()


def dnsmasq(*options):
    return subprocess.Popen(["dnsmasq", "--conf-file=/dev/null", "--keep-in-foreground", "--port=0", "--interface=s0",
                             "--bind-interfaces", "--user=root", "--dhcp-leasefile=/run/leases", "--log-facility=/run/log",
                             *options])


def case_dnsmasq(program):
    """dnsmasq: lease, MTU, search domains, and an IPv6 router with DNS"""
    m = Machine(program, "Network=dhcp", "Interface=eth0")
    ip("addr", "add", "2001:db8::1/64", "dev", "s0", "nodad")
    d = dnsmasq("--dhcp-range=10.9.0.50,10.9.0.60,2m", "--dhcp-option=option:router,10.9.0.1",
                "--dhcp-option=option:dns-server,10.9.0.1", "--dhcp-option=option:mtu,1400",
                "--dhcp-option=option:domain-search,a.example,b.example", "--enable-ra", "--dhcp-range=2001:db8::,ra-only",
                "--dhcp-option=option6:dns-server,[2001:db8::53]")
    try:
        m.until(lambda: m.started() and "2001:db8:0:0:0:0:0:53" in m.resolv(), "the lease and the router's DNS server")
        m.until(lambda: m.addresses(family="inet6"), "an IPv6 address")
        expect("nameserver 10.9.0.1\n" in m.resolv() and "search a.example b.example\n" in m.resolv(), m.resolv())
        expect(m.ask("link", "show", "dev", "eth0")[0]["mtu"] == 1400, "MTU")
    finally:
        d.kill()
        d.wait()
    m.end()


def case_ipv6(program):
    """Network=ipv6 starts when a router has given an address, and asks no DHCP server"""
    m, s = Machine(program, "Network=ipv6", "Interface=eth0"), Server()
    ip("addr", "add", "2001:db8::1/64", "dev", "s0", "nodad")
    expect(not m.started(), "it started without an address")
    d = dnsmasq("--enable-ra", "--dhcp-range=2001:db8::,ra-only")
    try:
        s.serve(m, m.started, "the start")
    finally:
        d.kill()
        d.wait()
    expect(m.addresses(family="inet6") and not m.addresses() and not s.seen, f"{m.addresses()} {s.seen}")
    m.end()


def case_no_ipv6(program):
    """IPv6=no: not even a link-local address"""
    m, s = Machine(program, "Network=dhcp", "Interface=eth0", "IPv6=no"), Server(seconds=3600)
    s.serve(m, m.started, "a lease")
    expect(not [a for link in m.ask("-6", "addr", "show", "dev", "eth0") for a in link.get("addr_info", [])], "IPv6")
    m.end()


CASES = {name[5:]: f for name, f in list(globals().items()) if name.startswith("case_")}


def main(program, *names):
    bad = False
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    for name in names or CASES:
        try:
            CASES[name](program)
            print(f"ok network: {CASES[name].__doc__}")
        except Exception as e:  # whatever goes wrong is the case's result
            print(f"not ok network: {CASES[name].__doc__}\n    {type(e).__name__}: {e}".replace("\n", "\n    "))
            bad = True
    return bad


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
