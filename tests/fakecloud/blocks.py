# SPDX-License-Identifier: Apache-2.0
"""The blocks that were written to one snapshot: a sparse file of data and a list of (index, SHA-256) that only grows.

The data is written before its line in the list, so after a kill no block is listed that is not there.
"""
import base64
import hashlib
import os
import struct
import threading

BLOCK = 524288
ZERO = bytes(BLOCK)
ZERO_DIGEST = hashlib.sha256(ZERO).digest()
LINE = struct.Struct("<I32s")


class Blocks:
    """digests: index -> SHA-256 of what this snapshot itself was given."""

    def __init__(self, directory, snapshot_id):
        os.makedirs(directory, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self.data = os.open(os.path.join(directory, snapshot_id + ".data"), flags, 0o644)
        self.list = os.open(os.path.join(directory, snapshot_id + ".list"), flags | os.O_APPEND, 0o644)
        self.digests = {}
        self.lock = threading.Lock()
        lines = os.pread(self.list, os.fstat(self.list).st_size, 0)
        for at in range(0, len(lines) - LINE.size + 1, LINE.size):
            index, digest = LINE.unpack_from(lines, at)
            self.digests[index] = digest

    def put(self, index, digest, body, keep_data=True):
        """body None: only its digest changes (a defect that a test asked for)."""
        before = self.digests.get(index, ZERO_DIGEST)
        if keep_data and digest != before:
            view, at = memoryview(body), index * BLOCK
            while view:
                wrote = os.pwrite(self.data, view, at)
                view, at = view[wrote:], at + wrote
        if self.digests.get(index) == digest:
            return
        with self.lock:
            os.write(self.list, LINE.pack(index, digest))
            self.digests[index] = digest

    def read(self, index):
        if self.digests[index] == ZERO_DIGEST:
            return ZERO
        data = os.pread(self.data, BLOCK, index * BLOCK)
        return data + bytes(BLOCK - len(data))

    def linear(self):
        """LINEAR aggregation: SHA-256 over the raw digests, by ascending index; base64."""
        whole = b"".join(self.digests[i] for i in sorted(self.digests))
        return base64.b64encode(hashlib.sha256(whole).digest()).decode()


def garbage(snapshot_id, index):
    """What an encrypted volume reads where nothing was ever written: a decryption of zeros, the same each time."""
    return hashlib.shake_128(b"%s/%d" % (snapshot_id.encode(), index)).digest(BLOCK)
