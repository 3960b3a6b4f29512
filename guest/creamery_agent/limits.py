"""Limits and counts of a virtual machine's own kernel, by one control group that holds all that the agent runs.

In the other machine kinds the host's groups do this from outside; a group inside of a machine is root's, which no job is.
"""

import math
import os
import time

ROOT = "/sys/fs/cgroup"
JOB = ROOT + "/job"
DISK_SECONDS = 0.25
# A disk with less is full: so much, or a hundredth of a small one.
ROOM_BYTES = 1 << 20


def prepare(memory_bytes):
    """Makes the group; without it nothing is limited and nothing counted. Of processes each guest has its own bound: a machine's is
    told when it is copied."""
    write(ROOT + "/cgroup.subtree_control", "+memory +pids")
    os.mkdir(JOB)
    write(JOB + "/memory.max", str(memory_bytes))


def join():
    """Puts the calling process into the group, and with it all that it starts; nothing where there is no group of ours."""
    try:
        write(JOB + "/cgroup.procs", "0")
    except FileNotFoundError:
        pass


def counters():
    """What the group met, in the host's own words for it; None where there is no group of ours.

    Memory is the most that the group had and what the agent has: the groups of other machine kinds hold the agent too."""
    if not os.path.isdir(JOB):
        return None
    return {
        "memoryPeakBytes": int(read("memory.peak") or 0) + resident(),
        "oomKills": field(read("memory.events"), "oom_kill"),
        "pidsRefused": field(read("pids.events"), "max"),
    }


class Disk:
    """Remembers that a file system was full, whatever was removed since: looked at four times a second while something runs."""

    def __init__(self, path):
        self.path = path
        self.full = False
        self.next = 0.0

    def tick(self):
        now = time.monotonic()
        if now < self.next:
            return
        state = os.statvfs(self.path)
        room = min(ROOM_BYTES, state.f_blocks * state.f_frsize / 100)
        self.full = state.f_bavail * state.f_frsize < room or (state.f_files > 0 and state.f_favail == 0)
        # What is known to have been full need not be looked at again.
        self.next = math.inf if self.full else now + DISK_SECONDS


def resident():
    """Bytes of the calling process in memory."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def field(text, name):
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def read(name):
    with open(f"{JOB}/{name}") as stream:
        return stream.read()


def write(path, text):
    with open(path, "w") as stream:
        stream.write(text)
