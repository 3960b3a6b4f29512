"""A virtual machine's PID 1: lays the guest's places, warms what every attempt needs, waits to be copied, and is the agent.

Run as `python3.13 -I -S -B boot.py` by `init` beside it. The host copies the machine where it waits for `adopt`; all that a
copy needs from there to its hello is loaded before, and nothing that holds random state of its own is alive (docs/machines.md).
"""

import ctypes
import fcntl
import json
import os
import resource
import struct
import subprocess
import sys
import time
import traceback

import _socket

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Before the agent's modules read it: the index is behind the machine's one network card.
os.environ["CREAMERY_INDEX_TCP"] = "10.0.2.2:8099"

from agent import hello  # noqa: E402
from creamery_agent import limits, processes, settings  # noqa: E402
from creamery_agent.channel import Channel  # noqa: E402
from creamery_agent.processes import JOB_GID, JOB_UID  # noqa: E402
from creamery_agent.serve import Agent  # noqa: E402

SCRATCH = "/run/scratch"
# Where the package's user may write: directories of the scratch disk.
PLACES = (("/job", 0o755, JOB_UID), ("/home/tester", 0o755, JOB_UID), ("/tmp", 0o1777, 0), ("/var/tmp", 0o1777, 0))
ADDRESS, NETMASK = "10.0.2.15", "255.255.255.0"
IDENTITY = "/run/identity"
MACHINE_ID = "/etc/machine-id"
HOSTS = "/etc/hosts"
OPEN_FILES = 65536
# Above the threads that serve interrupts (50).
FIRST = 60
# linux/prctl.h
PR_SET_NO_NEW_PRIVS = 38
WARM_SECONDS = 300
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": "/home/tester"}
# Written data stays in the page cache while there is memory for it, and goes to the scratch disk when there is none.
WRITE_BACK = {"dirty_expire_centisecs": 360000, "dirty_writeback_centisecs": 360000, "dirty_background_ratio": 40, "dirty_ratio": 60}

# linux/random.h
RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
# linux/sockios.h
SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8916, 0x891C, 0x8913, 0x8914, 1

# What nearly every test imports, pytest's own needs among them.
WARM_PYTHON = """
import argparse, ast, contextlib, difflib, inspect, json, logging, os, platform, pprint, re, shutil, subprocess, sys
import tempfile, threading, traceback, unittest, warnings, zipfile
import ctypes, ssl
"""
WARM_C = '#include <Python.h>\n#include <stdio.h>\nint one(void) { return puts(""); }\n'


def write(path, text):
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def mount(kind, source, target, options=""):
    chosen = ("-o", options) if options else ()
    subprocess.run(["/usr/bin/mount", "-n", "-t", kind, *chosen, source, target], check=True, env=ENVIRONMENT)


def bind(source, target):
    subprocess.run(["/usr/bin/mount", "-n", "--bind", source, target], check=True, env=ENVIRONMENT)


def lay_places():
    for path in ("/dev/pts", "/dev/shm", SCRATCH, IDENTITY, "/run/creamery"):
        os.makedirs(path, 0o755, exist_ok=True)
    mount("devpts", "devpts", "/dev/pts", "nosuid,noexec,ptmxmode=0666,mode=0620")
    mount("tmpfs", "tmpfs", "/dev/shm", "nosuid,nodev,mode=1777,size=256m")
    mount("cgroup2", "cgroup2", "/sys/fs/cgroup", "nosuid,nodev,noexec")
    # The disk is of one guest's life: neither barriers nor times of reading, nor inode tables that nobody needs yet.
    mount("ext4", "/dev/vdb", SCRATCH, "nosuid,nodev,noatime,lazytime,nobarrier,noinit_itable")
    # What ext4 keeps back for delayed writes would be a part of the disk that no job may fill.
    write("/sys/fs/ext4/vdb/reserved_clusters", "0")
    os.chmod(SCRATCH, 0o711)
    for path, mode, owner in PLACES:
        inside = f"{SCRATCH}/{path.strip('/').replace('/', '-')}"
        os.makedirs(inside, exist_ok=True)
        os.makedirs(path, exist_ok=True)
        bind(inside, path)
        os.chmod(path, mode)
        os.chown(path, owner, owner)
    for name, value in WRITE_BACK.items():
        write(f"/proc/sys/vm/{name}", str(value))
    # Sockets of the host's are there in other machine kinds: jobs may not enter in any.
    os.chmod("/run/creamery", 0o700)
    # The kernel's own boot id is one for all copies.
    write(f"{IDENTITY}/boot_id", "")
    bind(f"{IDENTITY}/boot_id", "/proc/sys/kernel/random/boot_id")
    write(MACHINE_ID, "")
    write("/proc/sys/kernel/dmesg_restrict", "1")
    # As in the other machine kinds: no job gets more rights than it begins with, by no program and by no namespace.
    write("/proc/sys/user/max_user_namespaces", "0")
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs can't be set")
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def interface(sock, name, request, payload):
    return fcntl.ioctl(sock, request, struct.pack("16s24s", name, payload))


def up(sock, name):
    (flags,) = struct.unpack_from("H", interface(sock, name, SIOCGIFFLAGS, b""), 16)
    interface(sock, name, SIOCSIFFLAGS, struct.pack("H", flags | IFF_UP))


def lay_network():
    """The loopback, and one network with nothing on it but the index; no route leads anywhere else."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    up(sock, b"lo")
    (card,) = [name for name in os.listdir("/sys/class/net") if os.path.exists(f"/sys/class/net/{name}/device")]
    write(f"/proc/sys/net/ipv6/conf/{card}/disable_ipv6", "1")
    for request, address in ((SIOCSIFADDR, ADDRESS), (SIOCSIFNETMASK, NETMASK)):
        interface(sock, card.encode(), request, struct.pack("HH4s", _socket.AF_INET, 0, _socket.inet_aton(address)))
    up(sock, card.encode())
    sock.close()


class Port:
    """A virtio port with the few methods of a socket that the channel uses."""

    def __init__(self, name):
        ports = "/sys/class/virtio-ports"
        for entry in os.listdir(ports):
            with open(f"{ports}/{entry}/name") as stream:
                if stream.read().strip() == name:
                    self.fd = os.open(f"/dev/{entry}", os.O_RDWR | os.O_CLOEXEC)
                    return
        raise RuntimeError(f"the machine has no port called {name}")

    def setblocking(self, blocking):
        os.set_blocking(self.fd, blocking)

    def fileno(self):
        return self.fd

    def recv(self, size):
        return os.read(self.fd, size)

    def send(self, data):
        return os.write(self.fd, data)


def as_job():
    os.setgroups([JOB_GID])
    os.setresgid(JOB_GID, JOB_GID, JOB_GID)
    os.setresuid(JOB_UID, JOB_UID, JOB_UID)


def run_once(argv, text=""):
    """Seconds that it took; what it fails with is for whoever looks at a snapshot that is slow."""
    began = time.monotonic()
    try:
        ended = subprocess.run(
            argv,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=as_job,
            env=ENVIRONMENT,
            cwd="/tmp",
            timeout=WARM_SECONDS,
            check=False,
        )
        if ended.returncode != 0:
            print(f"creamery: warming {argv[:4]}: {ended.returncode} {ended.stderr[-300:]!r}", flush=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"creamery: warming {argv[:4]}: {error}", flush=True)
    return round(time.monotonic() - began, 3)


def warming(interpreters):
    """(name, command, its input) of all that is run before the copy is taken; no name for what can be run once only."""
    for one in interpreters:
        name, executable = one["name"], one["executable"]
        environment = f"/tmp/{name}"
        make = ["/usr/local/bin/uv", "venv", "--quiet", "--clear", "--python", executable, environment]
        if not one["uv"]:
            make = ["/usr/local/bin/creamery-virtualenv", "--quiet", "--no-download", "--python", executable, environment]
        yield name, [executable, "-c", WARM_PYTHON], ""
        yield None, make, ""
    yield "pip", ["/usr/bin/python3.13", "-m", "ensurepip", "--version"], ""
    yield "uv", ["/usr/local/bin/uv", "pip", "list", "--python", "/usr/bin/python3.13"], ""
    yield "compiler", ["/usr/bin/gcc", "-x", "c", "-I/usr/include/python3.13", "-shared", "-fPIC", "-o", "/tmp/warm.so", "-"], WARM_C


def warm(interpreters):
    """Runs everything once, so that its files are in memory; and once more, to know what that saves."""
    for root, _, names in os.walk("/opt/creamery/guest"):
        for name in names:
            with open(os.path.join(root, name), "rb") as stream:
                stream.read()
    measured = []
    for name, argv, text in warming(interpreters):
        first = run_once(argv, text)
        if name is not None:
            measured.append({"name": name, "firstSeconds": first, "secondSeconds": run_once(argv, text)})
    leave_nothing()
    os.sync()
    return measured


def leave_nothing():
    """Of what was warmed, interpreters of any origin among it, nothing may live on in a copy, nor lie where a job can write."""
    processes.kill_everything(True, 0)
    if processes.belonging(True, 0):
        raise RuntimeError("what was warmed can't be ended")
    subprocess.run(["/usr/bin/find", *(place for place, _, _ in PLACES), "-mindepth", "1", "-delete"], check=True, env=ENVIRONMENT)
    # What the job's user may write to beside them is others' too.
    shared = [place for place in settings.WRITABLE if place != "/home" and os.path.isdir(place)]
    owned = ["-mindepth", "1", "-user", str(JOB_UID), "-delete"]
    subprocess.run(["/usr/bin/find", "-H", *shared, *owned], check=True, env=ENVIRONMENT)
    subprocess.run(["/usr/bin/ipcrm", "--all"], check=True, env=ENVIRONMENT)


def ballast():
    """Bytes that the bench wants to be in use besides, to show that a copy takes no longer for them."""
    with open("/proc/cmdline") as stream:
        for word in stream.read().split():
            name, _, value = word.partition("=")
            if name == "creamery.ballast":
                return b"x" * (int(value) << 20)
    return b""


class Copy:
    """What makes a copy one of its own, with everything open and at hand before the copy is taken: a processor that is emulated has
    to translate again each instruction that a copy runs for the first time, so it runs as few as can be."""

    def __init__(self, port):
        self.port = port
        self.random = os.open("/dev/urandom", os.O_WRONLY)
        self.machine_id = os.open(MACHINE_ID, os.O_WRONLY)
        self.boot_id = os.open(f"{IDENTITY}/boot_id", os.O_WRONLY)
        self.hosts = os.open(HOSTS, os.O_WRONLY | os.O_APPEND)
        self.processes = os.open(f"{limits.JOB}/pids.max", os.O_WRONLY)
        nonce = "0" * 32
        self.before, self.after = hello(nonce).split(nonce.encode())

    def wait(self):
        """The frame of `adopt`, which the host says to a copy: shorter than one read."""
        os.set_blocking(self.port, True)
        while True:
            frame = os.read(self.port, 4096)
            if frame[9:15] == b"adopt ":
                return frame
            # Nobody is at the other end yet.
            time.sleep(0.01)

    def adopt(self, frame):
        """Randomness first: the kernel's own notice that it was copied (vmgenid) comes when it comes. The names follow the hello, and
        are there before the host can ask for anything: the agent listens from then on."""
        fcntl.ioctl(self.random, RNDADDENTROPY, frame[66:138])
        fcntl.ioctl(self.random, RNDRESEEDCRNG)
        time.clock_settime_ns(time.CLOCK_REALTIME, int(frame[47:66]))
        os.write(self.port, self.before + frame[15:47] + self.after)
        hostname, machine_id, boot_id, processes = frame[138:].split(b" ")
        _socket.sethostname(hostname)
        os.write(self.hosts, b"127.0.1.1 " + hostname + b"\n")
        os.write(self.machine_id, machine_id + b"\n")
        os.write(self.boot_id, boot_id + b"\n")
        os.write(self.processes, processes)

    def rehearse(self):
        """Does it once with nobody listening, so that the memory which it writes to is this process's own: the agent's relay is a fork."""
        sample = struct.pack("=15s32s19sii64s", b"", b"0" * 32, str(time.time_ns()).encode(), 512, 64, os.urandom(64))
        opened = dict(vars(self))
        with open("/dev/null", "wb", buffering=0) as nowhere:
            self.port = self.machine_id = self.boot_id = self.hosts = self.processes = nowhere.fileno()
            self.adopt(sample + b"creamery - - -")
        vars(self).update(opened)

    def close(self):
        for descriptor in (self.random, self.machine_id, self.boot_id, self.hosts, self.processes):
            os.close(descriptor)


def main():
    os.environ["PATH"] = PATH
    lay_places()
    lay_network()
    os.unlink("/run/guest.tar")
    with open("/run/machine.json", encoding="utf-8") as stream:
        machine = json.load(stream)
    held = ballast()
    laid = time.monotonic()
    measured = warm(machine["interpreters"])
    # After the warming: what that took is no copy's.
    limits.prepare(machine["memoryBytes"])
    channel = Channel(Port("agent"))
    agent = Agent(channel, limits.Disk("/job"))
    copy = Copy(channel.sock.fd)
    copy.rehearse()
    channel.sock.setblocking(True)
    # Before all that a machine's kernel has to do when it finds itself stopped for a while: that waits until the host has its answer.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIRST))
    channel.message(0, op="warm", bootSeconds=round(laid, 3), warmSeconds=round(time.monotonic() - laid, 3), warmed=measured)
    channel.flush()
    copy.adopt(copy.wait())
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    copy.close()
    os.set_blocking(channel.sock.fd, False)
    agent.run()
    channel.flush()
    del held


if __name__ == "__main__":
    try:
        main()
    except BaseException as fault:
        print("creamery: " + "".join(traceback.format_exception(fault))[-2000:], flush=True)
        raise
