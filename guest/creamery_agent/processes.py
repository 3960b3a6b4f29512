"""Finding and ending processes: nothing that an exec started outlives it."""

import os

import _signal as signal

JOB_UID = 1000
# No process and no file has it.
NOBODYS_UID = 65533
JOB_GID = 1000
# Rarely used by anyone; guest/inject registers a dump of all Python stacks on it.
DUMP_SIGNAL = 62
# Of how many processes at most: a bomb has no story to tell.
DUMPS = 32


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


def belonging(job, session, limit=None):
    """Pids (with what `fields` says) of the processes of the job's user, or of one session of root's."""
    found = []
    own = os.getpid()
    for name in sorted(filter(str.isdigit, os.listdir("/proc")), key=int):
        if int(name) == own:
            continue
        if limit is not None and len(found) >= limit:
            break
        seen = fields(name)
        if seen is None:
            continue
        if seen[0] == JOB_UID if job else seen[1] == session:
            found.append((int(name), seen))
    return found


def signal_all(job, session, number):
    """One signal to all of them."""
    if job:
        # By the kernel in one go: a walk over /proc never ends while hundreds of processes fight for the processor. With the
        # job's effective uid this reaches that user's processes only; the saved uid is the way back, and with a real one
        # that nobody has none of them may signal the agent meanwhile.
        os.setresuid(NOBODYS_UID, JOB_UID, 0)
        try:
            os.kill(-1, number)
        except ProcessLookupError:
            pass
        finally:
            os.setresuid(0, 0, 0)
        return
    for pid, _ in belonging(job, session):
        try:
            os.kill(pid, number)
        except OSError:
            pass


def dump_stacks(job, session):
    """Asks Pythons among them for their stacks, the first ones first; True when any was asked."""
    asked = False
    for pid, (_, _, catches) in belonging(job, session, DUMPS):
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
    """SIGKILL until none is left."""
    for _ in range(50):
        signal_all(job, session, signal.SIGKILL)
        if not belonging(job, session):
            return
