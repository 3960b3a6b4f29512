"""Finding and ending processes: nothing that an exec started outlives it."""

import os

import _signal as signal

JOB_UID = 1000
JOB_GID = 1000
# Rarely used by anyone; guest/inject registers a dump of all Python stacks on it.
DUMP_SIGNAL = 62


def fields(pid):
    """(real uid, session id, catches DUMP_SIGNAL or None where the kernel doesn't say); None when gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            stat = stream.read(4096).rpartition(b")")[2].split()
        with open(f"/proc/{pid}/status", "rb") as stream:
            status = stream.read(8192)
    except OSError:
        return None
    if not stat or stat[0] in (b"Z", b"X"):
        return None
    uid = catches = None
    for line in status.split(b"\n"):
        if line.startswith(b"Uid:"):
            uid = int(line.split()[1])
        elif line.startswith(b"SigCgt:"):
            catches = bool(int(line.split()[1], 16) >> (DUMP_SIGNAL - 1) & 1)
    return uid, int(stat[3]), catches


def belonging(job, session):
    """Pids (with what `fields` says) of every process of the job's user, or of one session of root's."""
    found = []
    own = os.getpid()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == own:
            continue
        seen = fields(name)
        if seen is None:
            continue
        if seen[0] == JOB_UID if job else seen[1] == session:
            found.append((int(name), seen))
    return found


def signal_all(job, session, number):
    count = 0
    for pid, _ in belonging(job, session):
        try:
            os.kill(pid, number)
            count += 1
        except OSError:
            pass
    return count


def dump_stacks(job, session):
    """Asks every Python among them for its stacks; True when any was asked."""
    asked = False
    for pid, (_, _, catches) in belonging(job, session):
        if catches is None:
            # gVisor's /proc doesn't tell: go by the program's name.
            try:
                program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            except OSError:
                continue
            catches = program.startswith(("python", "pypy"))
        if catches:
            try:
                os.kill(pid, DUMP_SIGNAL)
                asked = True
            except OSError:
                pass
    return asked


def kill_everything(job, session):
    """SIGKILL until none is left. A fork bomb outruns a walk over /proc, so for the job's user a child with that uid
    sends one kill(-1), which the kernel does to all of them at once."""
    for _ in range(50):
        if not belonging(job, session):
            return
        if job and (killer := try_fork()) is not None:
            if killer == 0:
                try:
                    os.setgroups([])
                    os.setresgid(JOB_GID, JOB_GID, JOB_GID)
                    os.setresuid(JOB_UID, JOB_UID, JOB_UID)
                    os.kill(-1, signal.SIGKILL)
                finally:
                    os._exit(0)
            try:
                os.waitpid(killer, 0)
            except ChildProcessError:
                pass
        signal_all(job, session, signal.SIGKILL)


def try_fork():
    try:
        return os.fork()
    except OSError:
        return None
