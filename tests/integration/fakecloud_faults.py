# SPDX-License-Identifier: Apache-2.0
"""The failures that fakecloud makes by order, what it counts, and that it is the same after a crash.

fakecloud_faults.py before|after FILE    before: the failures, and then something to find again after the restart, noted in FILE.
"""
import http.client
import json
import socket
import struct
import sys
import time

from fakecloud_client import (BLOCK, HOST, Raw, block, case, checksum, client, control, counter, finish, put, refused, settings)

ebs = client("ebs")
PHASE, NOTES = sys.argv[1:]
KEPT = ebs.start_snapshot(VolumeSize=1)["SnapshotId"]


def put_raw(index=0):
    data = block(index)
    headers = {"x-amz-Data-Length": str(BLOCK), "x-amz-Checksum": checksum(data), "x-amz-Checksum-Algorithm": "SHA256"}
    return Raw("PUT", "/snapshots/%s/blocks/%d" % (KEPT, index), data, headers)


def broken(raw, *errors):
    """The request must end by one of these errors. Returns how long it took."""
    start = time.monotonic()
    try:
        answer = raw.send()
    except errors:
        return time.monotonic() - start
    raise AssertionError("answered: %s" % (answer,))


def stored(index):
    return str(index) in control("GET", "blocks/" + KEPT)


def errors():
    """errors by order: code, status, reason, Retry-After; every Nth, skipping, limited."""
    settings(faults=[{"action": "PutSnapshotBlock", "kind": "error", "status": 503, "code": "ServiceUnavailable", "retry_after": 7}])
    raw = put_raw()
    assert raw.send()[:2] == (503, "ServiceUnavailable") and raw.answer.headers["Retry-After"] == "7"
    assert put_raw().send()[0] == 201
    settings(faults=[{"action": "Describe*", "kind": "error", "every": 3, "count": 2, "skip": 3}])
    ec2, seen = client("ec2"), []
    for _ in range(12):
        try:
            ec2.describe_images()
            seen.append("-")
        except Exception:  # pylint: disable=broad-except
            seen.append("x")
    assert "".join(seen) == "-----x--x---", "".join(seen)
    settings(faults=[{"kind": "error", "code": "InternalError", "status": 500}])
    refused("InternalError", client("sts").get_caller_identity)
    for wrong in ([{"kind": "explode"}], [{"kind": "error", "colour": "red"}]):
        try:
            settings(faults=wrong)
        except OSError:
            continue
        raise AssertionError("an unknown fault was accepted")


def breaks():
    """a reset in the middle of a body, an end without an answer, half an answer, work done without a word, silence."""
    settings(faults=[{"action": "PutSnapshotBlock", "kind": "reset", "at": 100000}])
    broken(put_raw(1), ConnectionResetError, BrokenPipeError)
    assert not stored(1)
    settings(faults=[{"action": "PutSnapshotBlock", "kind": "close"}])
    broken(put_raw(2), http.client.RemoteDisconnected, ConnectionError)
    assert not stored(2)
    settings(faults=[{"action": "PutSnapshotBlock", "kind": "late"}])
    broken(put_raw(3), http.client.RemoteDisconnected, ConnectionError)
    assert stored(3)
    settings(faults=[{"action": "StartSnapshot", "kind": "cut"}])
    broken(Raw("POST", "/snapshots", b'{"VolumeSize": 1}', {"Content-Type": "application/json"}), http.client.IncompleteRead)
    settings(faults=[{"action": "PutSnapshotBlock", "kind": "stall", "seconds": 0.5}])
    assert 0.4 < broken(put_raw(4), http.client.RemoteDisconnected, ConnectionError)
    settings(faults=[{"action": "PutSnapshotBlock", "kind": "delay", "seconds": 0.4}])
    start = time.monotonic()
    assert put_raw(4).send()[0] == 201 and time.monotonic() - start >= 0.4
    settings(faults=[], latency={"PutSnapshotBlock": 300})
    start = time.monotonic()
    assert put_raw(4).send()[0] == 201 and time.monotonic() - start >= 0.3
    assert counter("fault:reset") >= 1 and counter("failed:PutSnapshotBlock:stall") == 1


def talk(data, end=True):
    connection = socket.create_connection(HOST.split(":"), timeout=10)
    connection.sendall(data)
    if end:
        connection.shutdown(socket.SHUT_WR)
    got = b""
    while True:
        more = connection.recv(65536)
        if not more:
            return got.split(b"\r\n")[0]
        got += more


def http_rules():
    """HTTP: what is no request is 400, a body that is cut is nothing, connections are kept, 100-continue is answered."""
    for bad in (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"nonsense\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
                b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"):
        assert talk(bad) == b"HTTP/1.1 400 Bad Request", bad
    before = len(control("GET", "log/PutSnapshotBlock"))
    raw = put_raw(5)
    head = "PUT %s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\n\r\n" % (
        raw.path, "\r\n".join("%s: %s" % h for h in raw.headers.items() if h[0] != "Content-Length"), BLOCK)
    assert talk(head.replace("\r\n", "\r\nHost: %s\r\n" % HOST, 1).encode() + raw.body[:1000]) == b""
    assert len(control("GET", "log/PutSnapshotBlock")) == before and not stored(5)
    connection = http.client.HTTPConnection(HOST, timeout=10)
    for index in (6, 7):
        raw = put_raw(index)
        connection.request(raw.method, raw.path, raw.body, {**raw.headers, "Expect": "100-continue"})
        assert connection.getresponse().read() == b""
    local = connection.sock.getsockname()
    assert local and stored(6) and stored(7)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def unknown_settings():
    """a setting that does not exist is refused."""
    try:
        settings(latncy_ms=5)
    except OSError:
        return
    raise AssertionError("accepted")


def something():
    """before the crash: a pending snapshot with blocks, a completed one and a token of it."""
    done = ebs.start_snapshot(VolumeSize=1, ClientToken="before")["SnapshotId"]
    put(ebs, done, 3, block(3))
    ebs.complete_snapshot(SnapshotId=done, ChangedBlocksCount=1)
    token = ebs.list_snapshot_blocks(SnapshotId=done)["Blocks"][0]["BlockToken"]
    settings(complete_s=1)
    with open(NOTES, "w", encoding="utf-8") as f:
        json.dump({"objects": control("GET", "objects"), "pending": KEPT, "done": done, "token": token,
                   "blocks": control("GET", "blocks/" + KEPT)}, f)


def again():
    """after the crash: objects, settings, blocks, tokens and client tokens are as they were."""
    with open(NOTES, encoding="utf-8") as f:
        notes = json.load(f)
    assert notes["objects"]["cloud"]["settings"]["complete_s"] == 1
    now, before = control("GET", "objects"), notes["objects"]
    for kind in ("snapshots", "images", "tags", "sessions", "parameters"):
        for key, value in before.get(kind, {}).items():
            # When a block was last put is known from the blocks themselves.
            assert now[kind][key] == value or kind == "snapshots" and {
                **now[kind][key], "touched": value["touched"]} == value, (kind, key)
    assert control("GET", "blocks/" + notes["pending"]) == notes["blocks"] and len(notes["blocks"]) >= 5
    got = ebs.get_snapshot_block(SnapshotId=notes["done"], BlockIndex=3, BlockToken=notes["token"])
    assert got["BlockData"].read() == block(3)
    assert ebs.start_snapshot(VolumeSize=1, ClientToken="before")["SnapshotId"] == notes["done"]
    put(ebs, notes["pending"], 100, block(100))
    ebs.complete_snapshot(SnapshotId=notes["pending"], ChangedBlocksCount=len(notes["blocks"]) + 1)


for one in (errors, breaks, http_rules, unknown_settings, something) if PHASE == "before" else (again,):
    case(one)
finish()
