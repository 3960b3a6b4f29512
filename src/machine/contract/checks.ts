import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";

import { CreameryError } from "../../base/errors.ts";
import type { ExecRequest, ExecResult, Guest, GuestSpec, Machine } from "../machine.ts";

const MIB = 1024 * 1024;

/** What every machine kind must do, whatever runs its guests. Run inside of a real farm process (entry.ts). */
export interface CheckContext {
  readonly machine: Machine;
  readonly spec: GuestSpec;
  readonly signal: AbortSignal;
}

interface Ran extends ExecResult {
  readonly stdout: string;
  readonly stderr: string;
}

const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/home/tester", LANG: "C.UTF-8" };

export async function run(
  guest: Guest,
  argv: readonly string[],
  changes: Partial<ExecRequest> = {},
): Promise<Ran> {
  const text = { stdout: "", stderr: "" };
  const result = await guest.exec(
    {
      argv,
      cwd: "/job",
      env: ENVIRONMENT,
      user: "job",
      wallMs: 30_000,
      silenceMs: 0,
      outputBytes: 4 * MIB,
      events: false,
      dumpStacks: false,
      ...changes,
    },
    {
      output: (stream, chunk) => {
        text[stream] += chunk.toString("utf8");
      },
    },
    AbortSignal.timeout(60_000),
  );
  return { ...result, ...text };
}

export async function python(
  guest: Guest,
  code: string,
  changes: Partial<ExecRequest> = {},
): Promise<Ran> {
  return await run(guest, ["/usr/bin/python3.13", "-c", code], changes);
}

/**
 * Runs a Python that hangs, until it has been silent for so long, ms, from `BEGUN` on: how long it takes to come there is the host's
 * load.
 */
async function hanging(
  guest: Guest,
  code: string,
  silenceMs: number,
  changes: Partial<ExecRequest> = {},
): Promise<Ran> {
  const script =
    'until [ -e /job/begun ]; do echo not yet; sleep 0.1; done & exec /usr/bin/python3.13 -c "$0"';
  return await run(guest, ["sh", "-c", script, code], { silenceMs, ...changes });
}

const BEGUN = "open('/job/begun', 'w').close()";

export const CHECKS: Readonly<Record<string, (context: CheckContext) => Promise<void>>> = {
  async "a command's output, exit code and signal come back"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const said = await run(guest, ["sh", "-c", "echo out; echo err >&2; exit 3"]);
    deepEqual([said.code, said.signal, said.stdout, said.stderr], [3, null, "out\n", "err\n"]);
    const ended = await run(guest, ["sh", "-c", "kill -SEGV $$"]);
    deepEqual([ended.code, ended.signal], [null, "SIGSEGV"]);
    ok(guest.startMs > 0);
  },

  async "package code runs as the job's user, who may write in its own places only"({
    machine,
    spec,
    signal,
  }) {
    await using guest = await machine.start(spec, signal);
    const said = await run(guest, [
      "sh",
      "-c",
      "id -u; for d in /job /tmp /var/tmp /home/tester /dev/shm / /etc /usr /usr/lib /opt/creamery/guest /root; do touch $d/x 2>/dev/null && echo $d; done; touch /etc/passwd || echo denied",
    ]);
    equal(said.stdout, "1000\n/job\n/tmp\n/var/tmp\n/home/tester\n/dev/shm\ndenied\n");
    match((await run(guest, ["id", "-u"], { user: "root" })).stdout, /^0$/mu);
  },

  async "files go in and come out, bounded"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const content = Buffer.alloc(3 * MIB + 17, "creamery");
    await guest.put("/job/deep/er/file", content, { mode: 0o640, owner: "job" });
    equal(
      (await run(guest, ["stat", "-c", "%a %u %s", "/job/deep/er/file"])).stdout,
      `640 1000 ${content.length}\n`,
    );
    deepEqual(await guest.get("/job/deep/er/file", content.length), content);
    equal(await guest.get("/job/none", 100), null);
    await run(guest, ["ln", "-s", "/etc/shadow", "/job/link"]);
    equal(await guest.get("/job/link", 100_000), null);
  },

  async "nothing of one guest is in the next"({ machine, spec, signal }) {
    const leave =
      "for d in /job /tmp /var/tmp /home/tester /dev/shm /etc /run /opt; do touch $d/leak; done 2>/dev/null";
    const look =
      "ls -d /job/leak /tmp/leak /var/tmp/leak /home/tester/leak /dev/shm/leak /etc/leak /run/leak /opt/leak 2>/dev/null";
    {
      await using first = await machine.start(spec, signal);
      await run(first, ["sh", "-c", leave], { user: "root" });
      await run(first, ["sh", "-c", "sleep 100 & exec 2>&-; touch /job/leak"]);
      ok((await run(first, ["sh", "-c", look])).stdout.includes("/job/leak"));
    }
    await using second = await machine.start(spec, signal);
    equal((await run(second, ["sh", "-c", look])).stdout, "");
    equal((await run(second, ["sh", "-c", "cat /proc/[0-9]*/comm | grep -c sleep"])).stdout, "0\n");
  },

  async "a job can't reach the channel, nor signal, trace or read the agent"({
    machine,
    spec,
    signal,
  }) {
    await using guest = await machine.start(spec, signal);
    const said = await python(
      guest,
      `
import ctypes, os, socket
def attempt(name, call):
    try:
        print(name, "WORKED", call())
    except OSError as error:
        print(name, "denied")
def connect(path):
    socket.socket(socket.AF_UNIX).connect(path)
attempt("list", lambda: os.listdir("/run/creamery"))
attempt("agent", lambda: connect("/run/creamery/agent.sock"))
attempt("index", lambda: connect("/run/creamery/index.sock"))
attempt("kill", lambda: os.kill(1, 9))
attempt("memory", lambda: open("/proc/1/mem", "rb"))
for number in range(3, 64):
    for mode in ("rb", "wb"):
        try:
            open(f"/proc/1/fd/{number}", mode, 0).close()
            print("descriptor", number, "WORKED", os.readlink(f"/proc/1/fd/{number}"))
        except OSError:
            pass
libc = ctypes.CDLL(None, use_errno=True)
def trace():
    if libc.ptrace(16, 1, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
attempt("trace", trace)
attempt("root", lambda: os.setuid(0))
`,
    );
    const expected = ["list", "agent", "index", "kill", "memory", "trace", "root"];
    equal(said.stdout, expected.map((name) => `${name} denied\n`).join(""), said.stderr);
    equal((await run(guest, ["true"])).code, 0);
  },

  async "there is no network, and attempts to reach one are evidence"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const said = await python(
      guest,
      `
import socket
for host, port in (("192.0.2.7", 80), ("service.example", 443)):
    try:
        socket.create_connection((host, port), timeout=5)
        print("WORKED")
    except OSError:
        print("refused")
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname())
print("loopback")
`,
    );
    equal(said.stdout, "refused\nrefused\nloopback\n", said.stderr);
    const seen = await guest.refusedConnections();
    ok(
      seen.some(({ target, kind }) => kind === "dns" && target === "service.example"),
      JSON.stringify(seen),
    );
    ok(!seen.some(({ target }) => target.startsWith("127.")), JSON.stringify(seen));
    if (machine.kind === "gvisor") {
      ok(
        seen.some(({ target, kind }) => kind === "connect" && target === "192.0.2.7:80"),
        JSON.stringify(seen),
      );
    }
  },

  async "the index is reached through its socket"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const server = createServer((request, response) =>
      response.end(`you asked for ${request.url}`),
    );
    server.listen(guest.indexSocketPath);
    await once(server, "listening");
    try {
      const said = await python(
        guest,
        `import urllib.request; print(urllib.request.urlopen("${guest.indexOrigin}/simple/").read().decode())`,
      );
      equal(said.stdout, "you asked for /simple/\n", said.stderr);
    } finally {
      server.close();
    }
  },

  async "a quiet guest met no limit"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    await run(guest, ["true"]);
    const { oomKills, pidsRefused, diskFull, cpuSeconds, memoryPeakBytes } = await guest.counters();
    deepEqual(
      { oomKills, pidsRefused, diskFull },
      { oomKills: 0, pidsRefused: 0, diskFull: false },
    );
    ok(cpuSeconds > 0 && cpuSeconds < 30 && memoryPeakBytes > MIB);
  },

  async "memory: told by the kernel's count, and by nothing else"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const bomb = "held = []\nwhile True: held.append(bytearray(b'x' * 10_000_000))";
    const ended = await python(guest, bomb).catch((thrown: unknown) => agentLost(thrown));
    ok(ended === null || ended.code !== 0);
    const { oomKills, pidsRefused, diskFull } = await guest.counters();
    deepEqual(
      { some: oomKills > 0, pidsRefused, diskFull },
      { some: true, pidsRefused: 0, diskFull: false },
    );
  },

  async "processes: a fork bomb is refused, counted and ended"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const bomb = `import os\n${BEGUN}\nwhile True:\n  try: os.fork()\n  except OSError: pass`;
    const began = performance.now();
    const ended = await hanging(guest, bomb, 3000).catch((thrown: unknown) => agentLost(thrown));
    ok(ended === null || ended.limit === "silent", `${ended?.limit}`);
    // That it ends at all, and by its limit, is what counts: how soon is the host's load.
    ok(performance.now() - began < 90_000);
    const { oomKills, pidsRefused, diskFull } = await guest.counters();
    deepEqual(
      { some: pidsRefused > 0, oomKills, diskFull },
      { some: true, oomKills: 0, diskFull: false },
    );
  },

  async "disk: a full one is told"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const filler = "f = open('/job/big', 'wb')\nwhile True: f.write(b'x' * 1_000_000)";
    const ended = await python(guest, filler);
    match(ended.stderr, /No space left/u);
    const { oomKills, pidsRefused, diskFull, diskBytes } = await guest.counters();
    deepEqual({ oomKills, pidsRefused, diskFull }, { oomKills: 0, pidsRefused: 0, diskFull: true });
    ok(diskBytes > spec.diskBytes * 0.9 && diskBytes < spec.diskBytes * 1.1, `${diskBytes}`);
  },

  async "a job finds itself by its host's name, may open many files, and gets no more rights"({
    machine,
    spec,
    signal,
  }) {
    await using guest = await machine.start(spec, signal);
    const said = await python(
      guest,
      `
import ctypes, resource, socket
libc = ctypes.CDLL(None)
print(socket.gethostbyname(socket.gethostname()).startswith("127."))
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 16384)
# PR_GET_NO_NEW_PRIVS, CLONE_NEWUSER
print(libc.prctl(39, 0, 0, 0, 0))
print(libc.unshare(0x10000000))
`,
    );
    const [found, files, kept, namespace] = said.stdout.split("\n");
    deepEqual([found, files, kept], ["True", "True", "1"], said.stderr);
    // gVisor's own kernel has namespaces of its own.
    if (guest.kind !== "gvisor") equal(namespace, "-1");
    deepEqual(await guest.refusedConnections(), []);
  },

  async "CPU time: more than its share ends the guest"({ machine, spec, signal }) {
    await using guest = await machine.start({ ...spec, cpuSeconds: 2 }, signal);
    await rejects(python(guest, "while True: pass"), (thrown) => agentLost(thrown) === null);
    ok((await guest.counters()).cpuSeconds >= 2);
  },

  async "output: a flood is cut off"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const ended = await run(guest, ["sh", "-c", "exec yes"], { outputBytes: MIB });
    deepEqual([ended.limit, ended.stdout.length <= MIB], ["log-size", true]);
    equal((await run(guest, ["true"])).code, 0);
  },

  async "time and silence end what hangs, and all that it started"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    equal(
      (await run(guest, ["sh", "-c", "sleep 321 & sleep 321"], { wallMs: 700 })).limit,
      "timeout",
    );
    equal(
      (await run(guest, ["sh", "-c", "echo hello; exec sleep 321"], { silenceMs: 700 })).limit,
      "silent",
    );
    equal(
      (
        await run(guest, [
          "sh",
          "-c",
          "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 32[1]'",
        ])
      ).stdout,
      "0\n",
    );
  },

  async "a hanging Python shows its stacks first"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    const code = `import faulthandler, time\nfaulthandler.register(62, all_threads=True)\n${BEGUN}\ndef stuck_here(): time.sleep(300)\nstuck_here()`;
    const ended = await hanging(guest, code, 2000, { dumpStacks: true });
    equal(ended.limit, "silent");
    match(ended.stderr, /stuck_here/u);
  },

  async "what changed in the file system since a mark is told"({ machine, spec, signal }) {
    await using guest = await machine.start(spec, signal);
    await guest.mark("before");
    await run(guest, ["sh", "-c", "touch /home/tester/added /var/tmp/added"]);
    const { added } = await guest.difference("before");
    deepEqual(added.filter((path) => path.endsWith("/added")).toSorted(), [
      "/home/tester/added",
      "/var/tmp/added",
    ]);
  },

  async "ten guests start at once"({ machine, spec, signal }) {
    const guests = await Promise.all(Array.from({ length: 10 }, () => machine.start(spec, signal)));
    try {
      const said = await Promise.all(
        guests.map((guest, index) =>
          run(guest, ["sh", "-c", `echo ${index} >/job/n; sleep 0.2; cat /job/n`]),
        ),
      );
      deepEqual(
        said.map(({ stdout }) => stdout),
        guests.map((_, index) => `${index}\n`),
      );
    } finally {
      await Promise.all(guests.map((guest) => guest.stop()));
    }
  },

  async "stop is idempotent, and a stopped guest does nothing more"({ machine, spec, signal }) {
    const guest = await machine.start(spec, signal);
    await run(guest, ["true"]);
    await Promise.all([guest.stop(), guest.stop()]);
    await guest.stop();
    await rejects(run(guest, ["true"]), (thrown) => agentLost(thrown) === null);
    ok((await guest.counters()).cpuSeconds > 0);
  },

  async "a stop while a command runs ends the wait for it"({ machine, spec, signal }) {
    const guest = await machine.start(spec, signal);
    const waiting = rejects(run(guest, ["sleep", "100"]), (thrown) => agentLost(thrown) === null);
    await guest.stop();
    await waiting;
  },

  async "a pooled guest is handed out once"({ machine, spec, signal }) {
    const pooled = { ...spec, pids: spec.pids + 1 };
    machine.keepReady(pooled, 2);
    const guests = await Promise.all([
      machine.start(pooled, signal),
      machine.start(pooled, signal),
      machine.start(pooled, signal),
    ]);
    equal(new Set(guests.map(({ id }) => id)).size, 3);
    for (const guest of guests) equal((await run(guest, ["true"])).code, 0);
    machine.keepReady(pooled, 0);
    await Promise.all(guests.map((guest) => guest.stop()));
  },

  async "a start that is given up, or has no image, says why"({ machine, spec, signal }) {
    const controller = new AbortController();
    const starting = machine.start(spec, controller.signal);
    const reason = new CreameryError("interrupted", "given up");
    controller.abort(reason);
    await rejects(starting, reason);
    await rejects(
      machine.start({ ...spec, imageId: "no-such-image" }, signal),
      (thrown) => thrown instanceof CreameryError && thrown.code === "unknown-image",
    );
  },

  async "no namespaces, mounts or keys can be made inside"({ machine, spec, signal }) {
    if (machine.kind !== "container") return;
    await using guest = await machine.start(spec, signal);
    for (const user of ["job", "root"] as const) {
      const said = await run(
        guest,
        [
          "sh",
          "-c",
          "unshare --user true || unshare --mount true || mount -t tmpfs x /job || echo denied",
        ],
        { user },
      );
      equal(said.stdout, "denied\n");
    }
  },
};

/** null for a guest that is gone, which some limits do; anything else is thrown again. */
function agentLost(thrown: unknown): null {
  if (thrown instanceof CreameryError && thrown.code === "agent-lost") return null;
  throw thrown;
}
