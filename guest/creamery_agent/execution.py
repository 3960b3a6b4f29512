"""One program run for the host: its output streamed with back-pressure, its limits kept, nothing of it left."""

import os
import resource
import select
import time

import _signal as signal

from . import limits, processes, settings
from .channel import EVENTS, STDERR, STDOUT

READ = 1 << 16
EVENT_LINE = 1 << 16
EVENT_TOTAL = 256 << 20
DUMP_SECONDS = 1.0
TERM_SECONDS = 1.0
DRAIN_SECONDS = 2.0


class Execution:
    """Stages: `run` until the leader ends or a limit is met; `dump`, `term` on the way to a kill; `drain` what is in the pipes."""

    def __init__(self, loop, channel, ident, request):
        self.loop, self.channel, self.ident = loop, channel, ident
        self.job = request["user"] == "job"
        if self.job and not settings.IN_GUEST:
            raise ValueError("the job's user is for guests only")
        self.output_limit = request["outputBytes"]
        self.silence = request["silenceMs"] / 1000
        self.dump_stacks = request["dumpStacks"]
        self.stage = "run"
        self.limit = None
        self.status = None
        self.output_bytes = 0
        self.event_bytes = 0
        self.event_line = 0
        self.kinds = {}
        self.paused = False
        self.fifo = None
        self.started = self.active = time.monotonic()
        self.wall_end = self.started + request["wallMs"] / 1000
        self.stage_end = 0.0
        env = dict(request["env"])
        if self.dump_stacks:
            env["CREAMERY_STACKS"] = "1"
        if request["events"]:
            env["CREAMERY_EVENTS_PATH"] = self.open_fifo()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        try:
            self.pid = os.fork()
            if self.pid == 0:
                become(request, env, self.job, out_write, err_write)
        finally:
            os.close(out_write)
            os.close(err_write)
            self.watch(out_read, STDOUT)
            self.watch(err_read, STDERR)

    def open_fifo(self):
        """Events come through a named pipe: it outlives `close_fds`, and no process inherits a descriptor it doesn't expect."""
        os.makedirs(settings.EVENT_DIRECTORY, 0o755, exist_ok=True)
        self.fifo = f"{settings.EVENT_DIRECTORY}/events-{self.ident}"
        try:
            os.unlink(self.fifo)
        except FileNotFoundError:
            pass
        os.mkfifo(self.fifo)
        os.chmod(self.fifo, 0o622)
        # Held open for writing too: a reporter that ends is not the end of the stream.
        self.watch(os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK), EVENTS)
        return self.fifo

    def watch(self, fd, kind):
        os.set_blocking(fd, False)
        self.kinds[fd] = kind
        self.loop.watch(fd, select.POLLIN, lambda _: self.read(fd))

    def unwatch(self, fd):
        del self.kinds[fd]
        self.loop.unwatch(fd)
        os.close(fd)

    def pause(self, paused):
        """The host is behind: leave the pipes full, so that whoever writes to them waits."""
        if paused == self.paused:
            return
        self.paused = paused
        for fd in self.kinds:
            self.loop.watch(fd, 0 if paused else select.POLLIN, lambda _, fd=fd: self.read(fd))

    def read(self, fd):
        """Reads once; False when nothing was there."""
        try:
            chunk = os.read(fd, READ)
        except BlockingIOError:
            return False
        except OSError:
            chunk = b""
        if not chunk:
            self.unwatch(fd)
            return False
        self.active = time.monotonic()
        kind = self.kinds[fd]
        if kind == EVENTS:
            self.event_bytes += len(chunk)
            if self.event_bytes <= EVENT_TOTAL:
                self.channel.frame(EVENTS, self.ident, chunk)
            return True
        room = self.output_limit - self.output_bytes
        self.output_bytes += len(chunk)
        if room > 0:
            self.channel.frame(kind, self.ident, chunk[:room])
        if self.output_bytes > self.output_limit:
            self.hit("log-size")
        return True

    def hit(self, limit):
        """A limit was met: stacks first (they are what explains a hang), then TERM, then KILL."""
        if self.stage != "run":
            return
        self.limit = limit
        if self.dump_stacks and limit != "log-size" and processes.dump_stacks(self.job, self.pid):
            self.enter("dump", DUMP_SECONDS)
        else:
            self.terminate()

    def terminate(self):
        processes.signal_all(self.job, self.pid, signal.SIGTERM)
        self.enter("term", TERM_SECONDS)

    def kill(self):
        processes.kill_everything(self.job, self.pid)
        self.enter("drain", DRAIN_SECONDS)

    def enter(self, stage, seconds):
        self.stage = stage
        self.stage_end = time.monotonic() + seconds

    def deadline(self):
        """When `tick` is next wanted, on the monotonic clock."""
        if self.stage != "run":
            return self.stage_end if self.kinds or self.stage != "drain" else 0.0
        return min(self.wall_end, self.active + self.silence) if self.silence else self.wall_end

    def tick(self):
        """Goes on where time has passed; True when all is over and said."""
        now = time.monotonic()
        if self.paused and self.stage == "run":
            # Silence is not the program's while the host doesn't read.
            self.active = now
        if self.stage == "run":
            if now >= self.wall_end:
                self.hit("timeout")
            elif self.silence and now >= self.active + self.silence:
                self.hit("silent")
        elif self.stage in ("dump", "term") and now >= self.stage_end:
            if self.stage == "dump":
                self.terminate()
            else:
                self.kill()
        if self.stage == "drain" and self.status is not None and not self.paused and self.drained(now):
            self.finish()
            return True
        return False

    def drained(self, now):
        for fd in list(self.kinds):
            while not self.channel.full and self.read(fd):
                pass
        if self.channel.full and now < self.stage_end + 30:
            return False
        # Only the named pipe, which never ends by itself, may be left; or what a process of root's still holds.
        return all(kind == EVENTS for kind in self.kinds.values()) or now >= self.stage_end

    def ended(self, status):
        """The leader was reaped; its descendants go with it."""
        self.status = status
        self.seconds = time.monotonic() - self.started
        self.kill()

    def finish(self):
        for fd in list(self.kinds):
            self.unwatch(fd)
        if self.fifo is not None:
            os.unlink(self.fifo)
        code = os.waitstatus_to_exitcode(self.status)
        self.channel.message(
            self.ident,
            op="ended",
            code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            limit=self.limit,
            seconds=self.seconds,
            outputBytes=self.output_bytes,
            eventsCut=self.event_bytes > EVENT_TOTAL,
        )


def become(request, env, job, out, err):
    """In the child: never returns. Everything inherited is close-on-exec but for the three standard descriptors."""
    try:
        os.setsid()
        limits.join()
        null = os.open("/dev/null", os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        for name, value in request["rlimits"].items():
            which = {"processes": resource.RLIMIT_NPROC, "coreBytes": resource.RLIMIT_CORE}.get(name)
            which = {"fileBytes": resource.RLIMIT_FSIZE, "openFiles": resource.RLIMIT_NOFILE}.get(name, which)
            # Of processes only the job's user is limited: root's are counted over the whole guest.
            if which is not None and (job or name != "processes"):
                hard = resource.getrlimit(which)[1]
                value = value if hard == resource.RLIM_INFINITY else min(value, hard)
                resource.setrlimit(which, (value, value))
        if job:
            try:
                # In a memory famine the job's processes go first, not the agent.
                with open("/proc/self/oom_score_adj", "w") as stream:
                    stream.write("500")
            except OSError:
                pass
            os.setgroups([processes.JOB_GID])
            os.setresgid(processes.JOB_GID, processes.JOB_GID, processes.JOB_GID)
            os.setresuid(processes.JOB_UID, processes.JOB_UID, processes.JOB_UID)
        os.chdir(request["cwd"])
        os.closerange(3, 4096)
        os.execvpe(request["argv"][0], request["argv"], env)
    except BaseException as error:
        os.write(2, f"cannot run {request['argv'][0]}: {error}\n".encode("utf-8", "backslashreplace"))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)
