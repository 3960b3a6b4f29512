import { createInterface } from "node:readline";

import { z } from "zod";

import { launcher } from "../src/launcher/client.ts";
import type { FarmAnswer } from "../src/machine/contract/farm-under-test.ts";
import type { Guest } from "../src/machine/machine.ts";
import { openMachine } from "../src/machine/open-machine.ts";

/**
 * What `shared-guest.ts` starts in place of the command line. `fresh` and `shared`: the same work for each interpreter, in
 * a guest of its own or all in one; `leak`: what a second job finds of a first in the same guest.
 */
const MIB = 1024 * 1024;
const INTERPRETERS = [
  "/usr/bin/python3.9",
  "/usr/bin/python3.11",
  "/usr/bin/python3.13",
  "/usr/bin/python3.14",
];

/** What an attempt does whatever the package: an environment, imports, processes, small files; the standard library alone. */
const WORK = `
import os, subprocess, sys, tempfile
import asyncio, ctypes, email, http.server, json, logging, sqlite3, ssl, unittest, unittest.mock, xml.etree.ElementTree
place = tempfile.mkdtemp()
for number in range(300):
    with open(os.path.join(place, str(number)), "w") as file:
        file.write("x" * 2000)
for number in range(300):
    with open(os.path.join(place, str(number))) as file:
        file.read()
for _ in range(5):
    subprocess.check_call([sys.executable, "-c", "import json, unittest"])
total = 0
for number in range(1500000):
    total += number % 7
`;

/** A job that ends and leaves something behind: nothing of it needs more rights than any test suite has. */
const FIRST = `
import os, socket, subprocess, sys
open("/tmp/left", "w").write("x")
os.makedirs(os.path.expanduser("~/.config/left"), exist_ok=True)
open("/dev/shm/left", "wb").write(b"x" * (20 << 20))
code = '''
import socket, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", 8765)); s.listen()
time.sleep(600)
'''
subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
import time; time.sleep(1)
`;
const SECOND = `
import os, socket
found = []
if os.path.exists("/tmp/left"): found.append("file in /tmp")
if os.path.exists(os.path.expanduser("~/.config/left")): found.append("file in the home directory")
if os.path.exists("/dev/shm/left"): found.append("20 MiB in /dev/shm")
s = socket.socket()
try:
    s.bind(("127.0.0.1", 8765))
except OSError:
    found.append("port taken")
for name in os.listdir("/proc"):
    if not name.isdigit() or int(name) == os.getpid(): continue
    try:
        if b"8765" in open("/proc/" + name + "/cmdline", "rb").read():
            found.append("process that runs on")
            os.kill(int(name), 0)
            found.append("process that it may signal")
    except OSError:
        pass
print(";".join(sorted(set(found))))
`;

const [kind = "gvisor", imageId = ""] = process.argv.slice(2);
const spec = { imageId, memoryBytes: 600 * MIB, diskBytes: 200 * MIB, cpuSeconds: 600, pids: 100 };
const never = new AbortController().signal;
const machine = await openMachine(z.enum(["gvisor", "container"]).parse(kind));
answer({ ready: true, session: launcher().sessionDirectory, uid: process.getuid?.() ?? -1 });

for await (const line of createInterface({ input: process.stdin })) {
  const [command = ""] = line.split("\t");
  try {
    switch (command) {
      case "fresh":
        answer({ done: true, value: await fresh() });
        break;
      case "shared":
        answer({ done: true, value: await shared() });
        break;
      case "leak":
        answer({ done: true, value: await leak() });
        break;
      case "exit":
        await machine[Symbol.asyncDispose]();
        process.exit(0);
    }
  } catch (thrown) {
    const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    answer({ done: false, error });
  }
}

function answer(message: FarmAnswer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Seconds for all interpreters, each in a guest that was not there when it was asked for; and of that, all starts. */
async function fresh(): Promise<{ seconds: number; startSeconds: number }> {
  const began = performance.now();
  let startMs = 0;
  for (const interpreter of INTERPRETERS) {
    const asked = performance.now();
    const guest = await machine.start(spec, never);
    startMs += performance.now() - asked;
    await work(guest, interpreter);
    await guest.stop();
  }
  return { seconds: (performance.now() - began) / 1000, startSeconds: startMs / 1000 };
}

async function shared(): Promise<{ seconds: number; startSeconds: number }> {
  const began = performance.now();
  const guest = await machine.start(spec, never);
  const startSeconds = (performance.now() - began) / 1000;
  for (const interpreter of INTERPRETERS) await work(guest, interpreter);
  await guest.stop();
  return { seconds: (performance.now() - began) / 1000, startSeconds };
}

async function leak(): Promise<{ found: string }> {
  const guest = await machine.start(spec, never);
  await run(guest, ["/usr/bin/python3.11", "-c", FIRST]);
  const found = await run(guest, ["/usr/bin/python3.13", "-c", SECOND]);
  await guest.stop();
  return { found: found.trim() };
}

async function work(guest: Guest, interpreter: string): Promise<void> {
  const place = `/job/${interpreter.split("/").at(-1)}`;
  await run(guest, [interpreter, "-m", "venv", "--without-pip", place]);
  await run(guest, [`${place}/bin/python`, "-c", WORK]);
}

/** @returns its standard output. @throws Error where it fails: then nothing was measured. */
async function run(guest: Guest, argv: readonly string[]): Promise<string> {
  let [stdout, stderr] = ["", ""];
  const result = await guest.exec(
    {
      argv,
      cwd: "/job",
      env: { PATH: "/usr/bin:/bin", HOME: "/home/tester", LANG: "C.UTF-8" },
      user: "job",
      wallMs: 200_000,
      silenceMs: 0,
      outputBytes: MIB,
      events: false,
      dumpStacks: false,
    },
    {
      output: (stream, chunk) => {
        if (stream === "stdout") stdout += chunk.toString();
        else stderr += chunk.toString();
      },
    },
    never,
  );
  if (result.code !== 0) throw new Error(`${argv.join(" ").slice(0, 80)}: ${stderr.slice(-500)}`);
  return stdout;
}
