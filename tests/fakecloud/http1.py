# SPDX-License-Identifier: Apache-2.0
"""A HTTP/1.1 server for large bodies: one thread a connection, the body read by one call into a buffer that is kept.

RFC 9112. Reading, hashing and writing give up Python's lock, so a block costs about 0.2 ms of it: threads serve more blocks
a second than asyncio does (measured: see the notes in README.md). Strict: no chunked bodies, no folded headers, Host once.
"""
import select
import socket
import struct
import threading

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 20
REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
           412: "Precondition Failed", 413: "Content Too Large", 429: "Too Many Requests",
           500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable"}


class BadRequest(Exception):
    pass


class Reset(Exception):
    """Ends the connection by a reset (RST), at the place where it is raised."""


class Request:
    """One request. headers: names in lower case; what is there twice is joined by a comma. body: valid until the answer is sent."""

    __slots__ = ("method", "target", "path", "query", "headers", "names", "body", "tls", "digest", "info")

    def __init__(self, head, tls):
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or words[2] != "HTTP/1.1":
            raise BadRequest("request line '%s'" % lines[0])
        self.method, self.target = words[0], words[1]
        self.path, _, self.query = self.target.partition("?")
        self.tls, self.body, self.digest, self.info = tls, memoryview(b""), None, {}
        self.headers, self.names = {}, []
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or name != name.strip() or not name:
                raise BadRequest("header line '%s'" % line)
            key = name.lower()
            self.names.append(name)
            value = value.strip(" \t")
            self.headers[key] = self.headers[key] + "," + value if key in self.headers else value
            if key == "host" and "," in self.headers[key]:
                raise BadRequest("Host twice")
        if "host" not in self.headers:
            raise BadRequest("no Host")

    def length(self):
        if "transfer-encoding" in self.headers:
            raise BadRequest("chunked body")
        text = self.headers.get("content-length", "0")
        if not text.isdigit() or int(text) > MAX_BODY:
            raise BadRequest("Content-Length '%s'" % text)
        return int(text)


class Connection:
    def __init__(self, sock, tls, app):
        self.sock, self.tls, self.app = sock, tls, app
        self.pending = b""
        self.buffer = bytearray(0)

    def read_head(self):
        data = self.pending
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                self.pending = data[end + 4:]
                return data[:end]
            if len(data) > MAX_HEAD:
                raise BadRequest("head too long")
            more = self.sock.recv(16384)
            if not more:
                return None
            data += more

    def read_body(self, length, stop_at=None):
        """The body in the connection's buffer. stop_at: reset after so many bytes."""
        if len(self.buffer) < length:
            self.buffer = bytearray(length)
        view = memoryview(self.buffer)[:length]
        have = min(length, len(self.pending))
        view[:have] = self.pending[:have]
        self.pending = self.pending[have:]
        flags = 0 if self.tls else socket.MSG_WAITALL
        want = length if stop_at is None else max(have, min(length, stop_at))
        while have < want:
            got = self.sock.recv_into(view[have:want], want - have, flags)
            if not got:
                raise ConnectionError("body cut")
            have += got
        if stop_at is not None:
            raise Reset
        return view

    def send(self, answer, cut=None):
        """cut: only so many bytes of the body, then the end of the connection."""
        head = ["HTTP/1.1 %d %s" % (answer.status, REASONS.get(answer.status, "Status"))]
        head += ["%s: %s" % pair for pair in answer.headers.items()]
        head.append("Content-Length: %d\r\n\r\n" % len(answer.body))
        data = "\r\n".join(head).encode("latin-1")
        body = answer.body if cut is None else answer.body[:cut]
        if len(body) < 65536:
            self.sock.sendall(data + bytes(body))
        else:
            self.sock.sendall(data)
            self.sock.sendall(body)
        if cut is not None:
            raise ConnectionError("answer cut")

    def reset(self):
        raw = self.sock
        try:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass

    def serve(self):
        app = self.app
        while True:
            head = self.read_head()
            if head is None:
                return
            request = Request(head, self.tls)
            length = request.length()
            if request.headers.get("expect", "").lower() == "100-continue" and length:
                self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            fault = app.before_body(request, self)
            request.body = self.read_body(length, fault.get("at", length // 2) if fault.get("kind") == "reset" else None)
            answer = app.answer(request, self, fault)
            cut = request.info.get("cut")
            self.send(answer, cut)
            if request.headers.get("connection", "").lower() == "close":
                return


class Server:
    """Accepts on a socket. context: an ssl.SSLContext, or None."""

    def __init__(self, app, address, port, context):
        self.app, self.context = app, context
        self.listener = socket.create_server((address, port), backlog=1024)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        self.app.connected(1)
        connection = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            connection = Connection(sock, self.context is not None, self.app)
            connection.serve()
        except Reset:
            connection.reset()
        except BadRequest as e:
            self.app.bad_request(str(e))
            body = str(e).encode()
            head = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            try:
                connection.sock.sendall(head.encode() + body)
            except OSError:
                pass
        except OSError:
            pass
        finally:
            self.app.connected(-1)
            sock.close()


def stall(connection, seconds):
    """Says nothing for so long, or until the peer has gone."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    poll.poll(int(seconds * 1000))
