# -*- coding: utf-8 -*-
"""Is what was installed of use at all? Imports every public module, and asks each console script for --help.

    PYTHON smoke.py --out FILE PROJECT [--then CODE]

With `--then` it starts beside the installer, whose exit code will stand in the file CODE, and waits for it: a start of Python
has its price under gVisor. Run by the environment's own interpreter (2.7 to 3.15, PyPy) as the job's user. Writes one JSON object:
{"pass", "topLevel", "modules": {"tried", "imported", "failed": [{"name", "top", "error"}]},
 "scripts": [{"name", "ok", "exit", "error"}], "truncated"}
It passes when everything top-level could be imported and every script answered.
"""

import json
import os
import select
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from creamery_installed import await_code, console_scripts_of, find_metadata, modules_of, read_text, record_paths  # noqa: E402

# Nothing of ours may be found in the place of a module of theirs.
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]

MAX_MODULES = 400
MAX_SCRIPTS = 10
MODULE_SECONDS = 20.0
TOPS_SECONDS = 60.0
OTHERS_SECONDS = 10.0
SCRIPT_SECONDS = 20.0
SCRIPTS_SECONDS = 60.0
MAX_FAILED = 50
MAX_ERROR = 2000
NOT_PUBLIC = ("tests", "test", "testing", "conftest", "setup", "examples", "docs", "benchmarks")


def public(name):
    parts = name.split(u".")
    return not any(part.startswith(u"_") or part in NOT_PUBLIC or part.startswith(u"test_") for part in parts)


def import_all(names, write_end):
    """In a forked child: tells of each module before and after. Whatever it does to the process ends the child only."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)

    def tell(fields):
        os.write(write_end, (json.dumps(fields) + "\n").encode("ascii"))

    broken = set()
    for name in names:
        if name.split(u".")[0] in broken:
            # What it would say is what its package said.
            continue
        tell(["begin", name])
        try:
            __import__(str(name))
        except BaseException as error:
            broken.add(name)
            tell(["failed", name, describe(error)])
        else:
            tell(["imported", name])
    os._exit(0)


def describe(error):
    import traceback

    try:
        text = u"".join(
            line.decode("utf-8", "replace") if isinstance(line, bytes) else line
            for line in traceback.format_exception(type(error), error, error.__traceback__ if hasattr(error, "__traceback__") else None)
        )
    except BaseException:
        text = type(error).__name__
    # One line of JSON must fit into a pipe's atomic write, escapes and all.
    return text[-600:].encode("ascii", "backslashreplace").decode("ascii")


def try_imports(tops, others):
    """[(name, error or None)]: a crash costs the module that crashed, the rest is tried in a new child. One child does it all
    where it can: under gVisor a fork has its price."""
    results = []
    others_began = False
    deadline = time.time() + TOPS_SECONDS
    left = list(tops) + list(others)
    while left and time.time() < deadline:
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(read_end)
                import_all(left, write_end)
            finally:
                os._exit(1)
        os.close(write_end)
        current, buffered, hung = None, b"", False
        while True:
            wait = min(deadline, time.time() + MODULE_SECONDS) - time.time()
            if wait <= 0 or not select.select([read_end], [], [], wait)[0]:
                hung = True
                os.kill(pid, signal.SIGKILL)
                break
            chunk = os.read(read_end, 65536)
            if not chunk:
                break
            lines = (buffered + chunk).split(b"\n")
            buffered = lines.pop()
            for line in lines:
                fields = json.loads(line.decode("ascii"))
                if fields[0] == "begin":
                    current = fields[1]
                    if u"." in current and not others_began:
                        others_began = True
                        deadline = min(deadline, time.time() + OTHERS_SECONDS)
                else:
                    results.append((fields[1], fields[2] if fields[0] == "failed" else None))
                    current = None
        os.close(read_end)
        status = os.waitpid(pid, 0)[1]
        done = set(name for name, _ in results)
        if current is not None:
            how = "took too long" if hung else "ended by signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ended the process"
            results.append((current, u"importing it " + how))
            done.add(current)
        elif not hung:
            # Ended between two modules: nothing to blame, nothing to go on with.
            break
        broken = set(name for name, error in results if error is not None)
        left = [name for name in left if name not in done and name.split(u".")[0] not in broken]
    return results


def try_script(name, deadline):
    import subprocess

    path = os.path.join(os.path.dirname(sys.executable), name)
    if not os.path.exists(path):
        return {"name": name, "ok": False, "exit": None, "error": u"it was not installed"}
    with open(os.devnull) as null:
        process = subprocess.Popen([path, "--help"], stdin=null, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=os.setsid)
    end = min(deadline, time.time() + SCRIPT_SECONDS)
    output = b""
    fd = process.stdout.fileno()
    timed_out = False
    while True:
        wait = end - time.time()
        if wait <= 0 or not select.select([fd], [], [], wait)[0]:
            timed_out = True
            break
        chunk = os.read(fd, 65536)
        if not chunk:
            break
        output = (output + chunk)[-65536:]
    if timed_out:
        os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    text = output.decode("utf-8", "replace")
    if timed_out:
        return {"name": name, "ok": False, "exit": None, "error": u"no answer in %d s" % SCRIPT_SECONDS}
    # Some scripts know no --help and say so; only one that breaks has not answered.
    broken = code < 0 or (code != 0 and u"Traceback (most recent call last)" in text)
    return {"name": name, "ok": not broken, "exit": code, "error": text[-MAX_ERROR:] if broken else u""}


def smoke(project):
    found = find_metadata([entry for entry in sys.path if entry], project)
    if found is None:
        return {"pass": False, "topLevel": [], "modules": {"tried": 0, "imported": 0, "failed": []}, "scripts": [], "truncated": False, "error": u"not installed"}
    directory, info = found
    names = modules_of(record_paths(directory, info))
    tops = sorted(set(name.split(u".")[0] for name in names))
    # Private or not, what is top-level must be importable where nothing public is.
    shown = [name for name in tops if public(name)] or tops
    others = [name for name in names if u"." in name and public(name) and not name.endswith(u".__main__")]
    truncated = len(others) > MAX_MODULES
    everything = try_imports(shown, others[:MAX_MODULES])
    imported = set(name for name, error in everything if error is None)
    broken_tops = set(shown) - imported
    seen = set(name for name, _ in everything)
    truncated = truncated or any(
        name not in seen and name.split(u".")[0] not in broken_tops for name in others
    )
    scripts = []
    deadline = time.time() + SCRIPTS_SECONDS
    wanted = console_scripts_of(read_text(os.path.join(directory, info, "entry_points.txt")))
    for name in wanted[:MAX_SCRIPTS]:
        if time.time() < deadline:
            scripts.append(try_script(name, deadline))
    truncated = truncated or len(scripts) < len(wanted)
    failed = [{"name": name, "top": name in tops, "error": error} for name, error in everything if error is not None]
    return {
        "pass": not broken_tops and all(script["ok"] for script in scripts),
        "topLevel": shown,
        "modules": {
            "tried": len(everything),
            "imported": sum(1 for _, error in everything if error is None),
            "failed": failed[:MAX_FAILED],
        },
        "scripts": scripts,
        "truncated": truncated,
    }


def find_anew():
    """What was installed since this process started is found as by a process that starts now."""
    import site

    sys.path_importer_cache.clear()
    for entry in [entry for entry in sys.path if os.path.basename(entry) == "site-packages"]:
        site.addsitedir(entry)


def main(argv):
    if len(argv) not in (4, 6) or argv[1] != "--out" or argv[4:5] not in ([], ["--then"]):
        sys.stderr.write("usage: smoke.py --out FILE PROJECT [--then CODE]\n")
        return 2
    if len(argv) == 6:
        if await_code(argv[5]) != "0":
            return 3
        find_anew()
    result = smoke(argv[3])
    with open(argv[2], "wb") as stream:
        stream.write(json.dumps(result).encode("ascii"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
