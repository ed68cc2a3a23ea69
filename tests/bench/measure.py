# SPDX-License-Identifier: Apache-2.0
"""Running a program and saying what it cost."""
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field


@dataclass
class Run:
    seconds: float
    processor_seconds: float
    peak_rss: int  # bytes; of the largest process
    output: str


def run(argv):
    """Wall time from fork to exit. Standard output is returned, standard error is shown when it fails."""
    start = time.perf_counter()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        output, errors = child.stdout.read(), child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.stderr.write(errors.decode(errors="replace"))
        sys.exit(f"bench: {argv[0]} ended with status {child.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output.decode(errors="replace"))


@dataclass
class Series:
    runs: list = field(default_factory=list)

    def seconds(self):
        return statistics.median(r.seconds for r in self.runs)

    def best(self):
        return min(r.seconds for r in self.runs)

    def processor_seconds(self):
        return statistics.median(r.processor_seconds for r in self.runs)

    def peak_rss(self):
        return max(r.peak_rss for r in self.runs)


def touch_memory(size):
    """
    Makes the machine hold @size bytes of free memory that really is there. In a virtual machine with a balloon, pages
    that were free for two seconds may have gone back to the host, and who gets them next waits several times longer.
    """
    # In a process of its own: the peak of this one would count as that of its children.
    subprocess.run([sys.executable, "-c", f"b'1' * {size}"], check=True)


def compare(ways, count, size, remove):
    """
    One round to warm the page cache, then @count rounds that count. The ways take turns, each time in another
    order, so whatever else the machine does hits all of them alike. @size: bytes that a way has in the page cache in
    the end; @remove() clears the outputs, outside of the time.
    """
    series = {name: Series() for name in ways}
    names = list(ways)
    for number in range(count + 1):
        for name in names:
            remove()
            touch_memory(size)
            result = run(ways[name])
            if number > 0:
                series[name].runs.append(result)
        names.append(names.pop(0))
    remove()
    return series
