# -*- coding: utf-8 -*-
"""What an installed distribution consists of, from its RECORD. Python 2.7 to 3.15 and PyPy; reads, imports nothing of it."""

import csv
import io
import os
import re
import sys

MAX_TEXT = 256 * 1024
MAX_RECORD = 16 * 1024 * 1024
MAX_WAIT_SECONDS = 3600
# `_speedups.cpython-313-x86_64-linux-gnu.so`, `_lib.abi3.so`, `x.pypy311-pp73-x86_64-linux-gnu.so`, `x.so`
EXTENSION = re.compile(r"^([A-Za-z_][A-Za-z0-9_]*)(\.[A-Za-z0-9_.-]+)?\.(so|pyd)$")
IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


def normalise(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def read_text(path, limit=MAX_TEXT):
    try:
        with io.open(path, "rb") as stream:
            return stream.read(limit).decode("utf-8", "replace")
    except (OSError, IOError):
        return u""


def await_code(path):
    """What an installer that runs beside us ended with, "none" if it never did: a start of Python has its price under gVisor, so
    what looks at an installation is started before there is one."""
    import time

    # Python 2 has no monotonic clock.
    clock = getattr(time, "monotonic", time.time)
    deadline = clock() + MAX_WAIT_SECONDS
    while clock() < deadline:
        text = read_text(path)
        if text.endswith("\n"):
            return text.strip()
        time.sleep(0.003)
    return "none"


def find_metadata(directories, project):
    """(site directory, dist-info directory's name) of a project by its PEP 503 name; None when it isn't there."""
    for directory in directories:
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            if suffix in ("dist-info", "egg-info") and normalise(stem.split("-")[0]) == normalise(project):
                return directory, name
    return None


def record_paths(directory, info):
    """Paths of RECORD relative to the site directory, those outside of it left out."""
    text = read_text(os.path.join(directory, info, "RECORD"), MAX_RECORD)
    if not text:
        # An egg-info of an old installer.
        text = read_text(os.path.join(directory, info, "installed-files.txt"), MAX_RECORD)
        lines = [os.path.normpath(os.path.join(info, line.strip())) for line in text.split(u"\n") if line.strip()]
        return sorted(set(line for line in lines if not line.startswith("..")))
    if sys.version_info[0] == 2:
        rows = csv.reader(io.BytesIO(text.encode("utf-8")))
    else:
        rows = csv.reader(io.StringIO(text))
    found = set()
    for row in rows:
        if row:
            path = row[0] if not isinstance(row[0], bytes) else row[0].decode("utf-8")
            path = path.replace(u"\\", u"/")
            if not path.startswith((u"../", u"/")) and u"/../" not in path:
                found.add(path)
    return sorted(found)


def module_of(path):
    """Dotted name of what a path holds: (name, is a package); None for what is no module."""
    parts = path.split(u"/")
    last = parts.pop()
    if any(not IDENTIFIER.match(part) for part in parts):
        return None
    extension = EXTENSION.match(last)
    if last.endswith(u".py"):
        stem = last[:-3]
    elif extension:
        stem = extension.group(1)
    else:
        return None
    if stem == u"__init__":
        return (u".".join(parts), True) if parts else None
    return (u".".join(parts + [stem]), False) if IDENTIFIER.match(stem) else None


def modules_of(paths):
    return sorted(set(module[0] for module in map(module_of, paths) if module is not None))


def top_level_of(paths):
    return sorted(set(name.split(u".")[0] for name in modules_of(paths)))


def console_scripts_of(text):
    names, section = [], u""
    for line in text.split(u"\n"):
        line = line.strip()
        if line.startswith(u"["):
            section = line.strip(u"[]").strip()
        elif section == u"console_scripts" and u"=" in line:
            names.append(line.split(u"=")[0].strip())
    return [name for name in names if name and u"/" not in name]
