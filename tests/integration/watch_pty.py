# SPDX-License-Identifier: Apache-2.0
"""Runs a command on a terminal of ROWS and COLUMNS until it has written itself anew FRAMES times, presses Ctrl-C, and prints what was seen:
watch_pty.py ROWS COLUMNS FRAMES COMMAND...  ->  {"exit", "frames": [[line, ...], ...]}"""
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios

rows, columns, frames = map(int, sys.argv[1:4])
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.execvp(sys.argv[4], sys.argv[4:])
seen, pressed = b"", False
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:  # EIO: the other side is closed
        break
    if not data:
        break
    seen += data
    if not pressed and seen.count(b"\x1b[J") >= frames:
        os.write(terminal, b"\x03")
        pressed = True
_, status = os.waitpid(pid, 0)
text = seen.decode().split("\x1b[J")
found = []
for frame in text[:frames]:
    up = re.match(r"\x1b\[(\d+)A\r", frame)
    # Each one goes up by as many lines as the one before has.
    assert bool(up) == bool(found) and (not found or int(up[1]) == len(found[-1])), frame
    lines = re.sub(r"^\x1b\[\d+A\r", "", frame).split("\r\n")[:-1]
    assert all(line.endswith("\x1b[K") for line in lines), lines
    found.append([line[:-3] for line in lines])
print(json.dumps({"exit": os.waitstatus_to_exitcode(status), "frames": found}))
