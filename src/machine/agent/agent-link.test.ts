import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExecRequest } from "../machine.ts";
import { AgentLink } from "./agent-link.ts";
import { encodeFrame, FrameDecoder } from "./frame-codec.ts";

const NONCE = "00ff00ff";
const never = new AbortController().signal;
const HELLO = { op: "hello", protocol: 1, agent: "1.0.0", nonce: NONCE };

let directory: string;
let server: Server;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "creamery-link-"));
  server = createServer();
  server.listen(join(directory, "agent.sock"));
  await once(server, "listening");
});

afterEach(async () => {
  server.close();
  await rm(directory, { recursive: true, force: true });
});

function message(id: number, fields: object): Buffer {
  return encodeFrame("message", id, Buffer.from(JSON.stringify(fields)));
}

function request(argv: readonly string[], more: Partial<ExecRequest> = {}): ExecRequest {
  return {
    argv,
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
    user: "root",
    wallMs: 20_000,
    silenceMs: 0,
    outputBytes: 1 << 20,
    events: false,
    dumpStacks: false,
    ...more,
  };
}

/** Of a process; empty when it is gone, or dead and not yet reaped by whoever inherited it. */
function commandOf(pid: string): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
}

/** A host's link and, as its guest, a bare socket that says what a test wants. */
async function linked(): Promise<{ link: AgentLink; guest: Socket }> {
  const accepted = AgentLink.accept({
    guest: server,
    nonce: NONCE,
    deadlineMs: 60_000,
    signal: never,
  });
  const guest = connect(join(directory, "agent.sock"));
  guest.on("error", () => {}).resume();
  guest.write(message(0, HELLO));
  return { link: await accepted, guest };
}

describe("a hello", () => {
  it.each([
    ["with the wrong nonce", message(0, { ...HELLO, nonce: "00ff00fe" }), /wrong nonce/u],
    ["of another protocol", message(0, { ...HELLO, protocol: 2 }), /protocol 2/u],
    ["that is no JSON", encodeFrame("message", 0, Buffer.from("{")), /no JSON/u],
    ["of another kind", encodeFrame("stdout", 0, Buffer.from("x")), /did not begin with a hello/u],
    [
      "followed by more",
      Buffer.concat([message(0, HELLO), Buffer.from([1])]),
      /did not begin with a hello/u,
    ],
    ["of garbage", Buffer.from("GET / HTTP/1.1\r\n\r\n"), /unknown kind|announced/u],
  ])("%s is refused", async (_, bytes, reason) => {
    const accepted = AgentLink.accept({
      guest: server,
      nonce: NONCE,
      deadlineMs: 60_000,
      signal: never,
    });
    const guest = connect(join(directory, "agent.sock"));
    guest.on("error", () => {});
    guest.write(bytes);
    await expect(accepted).rejects.toThrow(reason);
    await expect(accepted).rejects.toMatchObject({ code: "channel" });
    guest.destroy();
  });

  it("that never comes is waited for until the deadline", async () => {
    const accepted = AgentLink.accept({
      guest: server,
      nonce: NONCE,
      deadlineMs: 50,
      signal: never,
    });
    const guest = connect(join(directory, "agent.sock"));
    guest.on("error", () => {});
    await expect(accepted).rejects.toMatchObject({ code: "agent-lost" });
    guest.destroy();
  });

  it("is not waited for once the signal is aborted", async () => {
    const stop = new AbortController();
    const accepted = AgentLink.accept({
      guest: server,
      nonce: NONCE,
      deadlineMs: 60_000,
      signal: stop.signal,
    });
    stop.abort(new Error("enough"));
    await expect(accepted).rejects.toThrow("enough");
  });
});

describe("a hostile agent", () => {
  const sinks = { output: () => {} };

  it("that closes ends every wait with agent-lost", async () => {
    const { link, guest } = await linked();
    const waits = [
      link.exec(request(["true"]), sinks, never),
      link.get("/x", 10),
      link.mark("m"),
      link.put("/x", Buffer.alloc(10), { mode: 0o644, owner: "root" }),
    ];
    guest.destroy();
    for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: "agent-lost" });
    await expect(link.get("/x", 10)).rejects.toMatchObject({ code: "agent-lost" });
  });

  it.each([
    [
      "sends more output than was allowed",
      (guest: Socket) => guest.write(encodeFrame("stdout", 1, Buffer.alloc(101))),
    ],
    ["answers what was never asked", (guest: Socket) => guest.write(message(7, { op: "done" }))],
    [
      "answers with nonsense",
      (guest: Socket) => guest.write(message(1, { op: "ended", code: 1e9 })),
    ],
    [
      "sends file content for a program",
      (guest: Socket) => guest.write(encodeFrame("content", 1, Buffer.alloc(1))),
    ],
    ["says hello again", (guest: Socket) => guest.write(message(0, HELLO))],
  ])("that %s loses its channel", async (_, act) => {
    const { link, guest } = await linked();
    const wait = link.exec(request(["true"], { outputBytes: 100 }), sinks, never);
    act(guest);
    await expect(wait).rejects.toMatchObject({ code: "channel" });
    await once(guest, "close");
  });

  it("that sends more of a file than was asked for loses its channel", async () => {
    const { link, guest } = await linked();
    const wait = link.get("/x", 10);
    guest.write(encodeFrame("content", 1, Buffer.alloc(11)));
    await expect(wait).rejects.toMatchObject({ code: "channel" });
  });

  it("that floods what is over loses its channel", async () => {
    const { link, guest } = await linked();
    const wait = link.get("/x", 10);
    guest.write(message(1, { op: "done", exists: false }));
    expect(await wait).toBeNull();
    const flood = encodeFrame("stdout", 1, Buffer.alloc(1 << 20));
    for (let sent = 0; sent < 70 && link.fault === null; sent++)
      await new Promise((resolve) => guest.write(flood, resolve));
    await expect.poll(() => link.fault?.code, { timeout: 30_000 }).toBe("channel");
  });
});

it("reads the real agent's answers, and a program that is told to stop stops", async () => {
  const agent = spawn(
    "python3",
    ["-I", "-S", "-B", new URL("../../../guest/agent.py", import.meta.url).pathname],
    {
      env: {
        CREAMERY_NONCE: NONCE,
        CREAMERY_AGENT_SOCKET: join(directory, "agent.sock"),
        CREAMERY_INDEX_SOCKET: join(directory, "index.sock"),
        CREAMERY_INDEX_PORT: "0",
        CREAMERY_WRITABLE: join(directory, "marked"),
        CREAMERY_EVENT_DIRECTORY: join(directory, "events"),
      },
      stdio: "inherit",
    },
  );
  const exited = once(agent, "exit");
  await using link = await AgentLink.accept({
    guest: server,
    nonce: NONCE,
    deadlineMs: 60_000,
    signal: never,
  });

  const run = async (argv: readonly string[], more: Partial<ExecRequest> = {}, signal = never) => {
    const text = { stdout: "", stderr: "" };
    const events: string[] = [];
    const sinks = {
      output: (stream: "stdout" | "stderr", chunk: Buffer) =>
        void (text[stream] += chunk.toString()),
      event: (line: string) => void events.push(line),
    };
    return { result: await link.exec(request(argv, more), sinks, signal), ...text, events };
  };

  // Output, exit codes and signals.
  const both = await run(["sh", "-c", "echo out; echo err >&2; exit 3"]);
  expect(both).toMatchObject({
    stdout: "out\n",
    stderr: "err\n",
    result: { code: 3, signal: null, limit: null, outputBytes: 8 },
  });
  expect((await run(["sh", "-c", "kill -SEGV $$"])).result).toMatchObject({
    code: null,
    signal: "SIGSEGV",
  });
  const missing = await run(["no-such-program"]);
  expect(missing.result.code).toBe(127);
  expect(missing.stderr).toContain("no-such-program");

  // Limits.
  const flood = await run(["yes"], { outputBytes: 100_000 });
  expect(flood.result.limit).toBe("log-size");
  expect(flood.stdout.length).toBe(100_000);
  expect((await run(["sh", "-c", "echo x; sleep 60"], { silenceMs: 200 })).result.limit).toBe(
    "silent",
  );
  // Long enough for what is started to have begun, on a busy machine too.
  expect((await run(["sleep", "60"], { wallMs: 2000 })).result).toMatchObject({
    limit: "timeout",
    signal: "SIGTERM",
  });
  const stubborn = await run(["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], {
    wallMs: 2000,
  });
  expect(stubborn.result).toMatchObject({ limit: "timeout", signal: "SIGKILL" });
  const stacks = await run(
    [
      "python3",
      "-c",
      "import faulthandler, time; faulthandler.register(62); print('ready', flush=True)\ndef hangs(): time.sleep(60)\nhangs()",
    ],
    { wallMs: 4000, dumpStacks: true },
  );
  expect(stacks.stderr).toContain("in hangs");

  // What a program leaves behind goes with it.
  const left = await run(["sh", "-c", "sleep 4321 & echo $!"]);
  expect(await commandOf(left.stdout.trim())).toBe("");

  // Events come whole and in order, more of them than a pipe holds.
  const script =
    "import os\nf = os.open(os.environ['CREAMERY_EVENTS_PATH'], os.O_WRONLY)\nfor i in range(20000): os.write(f, b'%d\\n' % i)";
  const told = await run(["python3", "-c", script], { events: true });
  expect(told.events).toEqual(Array.from({ length: 20_000 }, (_, index) => String(index)));

  // Files; links are refused.
  const content = Buffer.alloc(3_000_001, "abc");
  const path = join(directory, "a", "b", "file");
  await link.put(path, content, { mode: 0o755, owner: "root" });
  expect((await readFile(path)).equals(content)).toBe(true);
  expect((await link.get(path, 1 << 30))?.equals(content)).toBe(true);
  expect((await link.get(path, 10))?.toString()).toBe("abcabcabca");
  expect(await link.get(join(directory, "none"), 10)).toBeNull();
  await symlink(path, join(directory, "link"));
  await symlink(join(directory, "a"), join(directory, "above"));
  expect(await link.get(join(directory, "link"), 10)).toBeNull();
  expect(await link.get(join(directory, "above", "b", "file"), 10)).toBeNull();
  await expect(
    link.put(join(directory, "above", "new"), content, { mode: 0o644, owner: "root" }),
  ).rejects.toMatchObject({ code: "channel" });
  await expect(
    link.put("/proc/../x", Buffer.alloc(0), { mode: 0o644, owner: "root" }),
  ).rejects.toMatchObject({ code: "channel" });

  // Differences of what may be written.
  const marked = join(directory, "marked");
  await mkdir(marked);
  await writeFile(join(marked, "changes"), "1");
  await writeFile(join(marked, "goes"), "1");
  await link.mark("before");
  await writeFile(join(marked, "changes"), "two");
  await rm(join(marked, "goes"));
  await writeFile(join(marked, "comes"), "1");
  const difference = await link.difference("before");
  expect(difference.added).toContain(join(marked, "comes"));
  expect(difference.changed).toContain(join(marked, "changes"));
  expect(difference.removed).toContain(join(marked, "goes"));
  await expect(link.difference("never")).rejects.toMatchObject({ code: "channel" });

  // Outside of a guest the agent never acts as the job's user.
  await expect(run(["true"], { user: "job" })).rejects.toMatchObject({ code: "channel" });

  // An abort kills the program and leaves the link of use.
  const stop = new AbortController();
  const aborted = run(["sh", "-c", `echo $$ > ${directory}/pid; exec sleep 4322`], {}, stop.signal);
  const pid = () => readFile(join(directory, "pid"), "utf8").catch(() => "");
  await expect.poll(pid, { timeout: 30_000 }).toMatch(/\n$/u);
  stop.abort(new Error("interrupted"));
  await expect(aborted).rejects.toThrow("interrupted");
  expect((await run(["echo", "still here"])).stdout).toBe("still here\n");
  expect(await commandOf((await pid()).trim())).toBe("");

  await link.stop();
  await link.stop();
  await exited;
});

it("decodes what it encodes for the agent", () => {
  const [frame] = new FrameDecoder().push(message(4, { op: "stop" }));
  expect(frame).toMatchObject({ kind: "message", id: 4 });
});
