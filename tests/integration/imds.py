# SPDX-License-Identifier: Apache-2.0
"""
IMDSv2 of EC2 on standard input and output, one connection, as qemu's guestfwd starts it: a token by PUT, and nothing without it.
imds.py LOG: appends each request there.
"""
import sys

DOCUMENTS = {"/latest/meta-data/local-hostname": "ip-10-0-0-9.ec2.internal", "/latest/user-data": "VERSION=cloud\n"}


def read_request(stream):
    """Method, path and headers; None when there is no more."""
    line = stream.readline().decode("ascii", "replace").split()
    headers = {}
    for raw in iter(stream.readline, b""):
        name, colon, value = raw.decode("ascii", "replace").partition(":")
        if not colon:
            break
        headers[name.strip().lower()] = value.strip()
    return (line[0], line[1], headers) if len(line) == 3 else None


def answer(method, path, headers):
    if path == "/latest/api/token":
        good = method == "PUT" and "x-aws-ec2-metadata-token-ttl-seconds" in headers
        return ("200 OK", "TOKEN==") if good else ("405 No", "")
    if headers.get("x-aws-ec2-metadata-token") != "TOKEN==":
        return "401 No", ""
    return ("200 OK", DOCUMENTS[path]) if path in DOCUMENTS else ("404 No", "")


def main(log):
    request = read_request(sys.stdin.buffer)
    if not request:
        return
    status, body = answer(*request)
    with open(log, "a", encoding="ascii") as f:
        print(request[0], request[1], status, file=f)
    sys.stdout.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
