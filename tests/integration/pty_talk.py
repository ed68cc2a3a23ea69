# SPDX-License-Identifier: Apache-2.0
"""pty_talk.py WAIT SEND [WAIT SEND...] -- COMMAND...

Runs the command on a terminal of its own. Once it has said WAIT (since the last one), SEND is typed; \\x03 is Ctrl-C. Prints all that it
said; the exit code is the command's, 128 + N when signal N ended it, 99 when it took more than two minutes.
"""
import os
import pty
import select
import sys
import time

split = sys.argv.index("--")
talk = [t.encode().decode("unicode_escape").encode() for t in sys.argv[1:split]]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
said, at, end = b"", 0, time.monotonic() + 120
while time.monotonic() < end:
    if not select.select([fd], [], [], 1)[0]:
        continue
    try:
        data = os.read(fd, 65536)
    except OSError:
        data = b""
    if not data:
        break
    said += data
    while talk and said.find(talk[0], at) >= 0:
        at = said.find(talk[0], at) + len(talk[0])
        os.write(fd, talk[1])
        talk = talk[2:]
sys.stdout.write(said.decode("utf-8", "replace").replace("\r", ""))
if time.monotonic() >= end:
    os.kill(pid, 9)
    sys.exit(99)
status = os.waitpid(pid, 0)[1]
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
