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


def compare(ways, count, remove):
    """
    One round to warm the page cache, then @count rounds that count. The ways take turns, so whatever else the
    machine does hits all of them alike. @remove() clears their outputs, outside of the time.
    """
    series = {name: Series() for name in ways}
    for number in range(count + 1):
        for name, argv in ways.items():
            remove()
            result = run(argv)
            if number > 0:
                series[name].runs.append(result)
    remove()
    return series
