"""What differs in the file system between two moments.

Package code runs as one user who may write in few places: those are walked whole. The rest of the root belongs to
root and can change only if that wall was broken: there one level of the directories that matter is looked at.
"""

import os
import stat

from . import settings
from .jsontext import quoted

WATCHED = ("/", "/etc", "/root", "/opt", "/srv", "/usr/bin", "/usr/local/bin", "/usr/lib/python3", "/var/spool/cron")
# A walk costs about 10 microseconds an entry natively, several times that under gVisor.
MAX_ENTRIES = 60_000
REPLY_BYTES = 700_000


def walk(everything):
    """Path -> (mode, size, mtime ns, ctime ns); of directories the mode alone: their times only repeat their entries'.
    Without `everything` only what the job's user has no right to change."""
    seen = {}
    for top in WATCHED:
        look(top, seen, None)
    for top in settings.WRITABLE if everything else ():
        stack = [top]
        while stack and len(seen) < MAX_ENTRIES:
            look(stack.pop(), seen, stack)
    return seen


def look(directory, seen, stack):
    try:
        entries = os.scandir(directory)
    except OSError:
        return
    prefix = directory if directory.endswith("/") else directory + "/"
    with entries:
        for entry in entries:
            if len(seen) >= MAX_ENTRIES:
                return
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            path = prefix + entry.name
            mode = state.st_mode
            if stat.S_ISDIR(mode):
                seen[path] = (mode, state.st_uid)
                if stack is not None:
                    stack.append(path)
            else:
                seen[path] = (mode, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def difference(before, after):
    room = REPLY_BYTES
    truncated = len(after) >= MAX_ENTRIES or len(before) >= MAX_ENTRIES
    lists = {
        "added": after.keys() - before.keys(),
        "changed": {path for path in after.keys() & before.keys() if after[path] != before[path]},
        "removed": before.keys() - after.keys(),
    }
    reply = {name: [] for name in lists}
    # What lies outside of the job's own directories first, of every list, so that a flood inside hides nothing outside.
    for inside in (False, True):
        for name, paths in lists.items():
            for path in sorted(path for path in paths if path.startswith("/job/") == inside):
                text = os.fsencode(path).decode("utf-8", "backslashreplace")
                room -= len(quoted(text)) + 1
                if room < 0:
                    truncated = True
                    break
                reply[name].append(text)
    return {**reply, "truncated": truncated}
