import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { launcher } from "../../launcher/client.ts";
import type { Guest } from "../machine.ts";
import { openMachine } from "../open-machine.ts";
import { CHECKS, type CheckContext } from "./checks.ts";
import type { FarmAnswer } from "./farm-under-test.ts";
import { QEMU_CHECKS } from "./qemu-checks.ts";

/**
 * What the tests start in place of the command line: an unprivileged process of a real launcher, which does what
 * lines of its standard input say.
 */
const [kind = "gvisor", imageId = ""] = process.argv.slice(2);
const kindSchema = z.enum(["gvisor", "container", "qemu"]);
const MIB = 1024 * 1024;
const spec = { imageId, memoryBytes: 300 * MIB, diskBytes: 100 * MIB, cpuSeconds: 600, pids: 100 };
const idle: Guest[] = [];
let holding: Promise<unknown> = Promise.resolve(null);
const never = new AbortController().signal;

function answer(message: FarmAnswer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

const machine = await openMachine(kindSchema.parse(kind));
answer({ ready: true, session: launcher().sessionDirectory, uid: process.getuid?.() ?? -1 });

for await (const line of createInterface({ input: process.stdin })) {
  const [command = "", ...words] = line.split("\t");
  try {
    switch (command) {
      case "check":
        await checkCalled(words[0] ?? "")({ machine, spec, signal: never });
        answer({ done: true, value: null });
        break;
      case "hold":
        answer({
          done: true,
          value: await hold(Buffer.from(words[0] ?? "", "base64").toString("utf8")),
        });
        break;
      case "held":
        answer({ done: true, value: await holding });
        break;
      case "start": {
        const guest = await machine.start(spec, never);
        answer({ done: true, value: { id: guest.id, startMs: guest.startMs } });
        break;
      }
      case "bench": {
        answer({
          done: true,
          value: { startMs: await bench(words[0] === "pool", Number(words[1])) },
        });
        break;
      }
      case "together": {
        const began = performance.now();
        const guests = await Promise.all(
          Array.from({ length: Number(words[0]) }, () => machine.start(spec, never)),
        );
        const lastMs = performance.now() - began;
        idle.push(...guests);
        answer({ done: true, value: { lastMs } });
        break;
      }
      case "keep":
        machine.keepReady(spec, Number(words[0]));
        answer({ done: true, value: null });
        break;
      case "stop-all":
        await Promise.all(idle.splice(0).map((guest) => guest.stop()));
        answer({ done: true, value: null });
        break;
      case "request":
        // Unchecked on purpose: that the launcher refuses what is no request is what is tested.
        // oxlint-disable-next-line typescript/no-unsafe-argument
        answer({ done: true, value: await launcher().request(JSON.parse(words[0] ?? "")) });
        break;
      case "exchange":
        writeFileSync(launcher().exchangePath(words[0] ?? ""), words[1] ?? "");
        answer({ done: true, value: null });
        break;
      case "exit":
        await machine[Symbol.asyncDispose]();
        process.exit(Number(words[0]));
    }
  } catch (thrown) {
    answer({
      done: false,
      error: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
    });
  }
}

/** A check of all kinds, or of virtual machines alone. */
function checkCalled(name: string): (context: CheckContext) => Promise<void> {
  const check = CHECKS[name] ?? QEMU_CHECKS[name];
  if (check === undefined) throw new CreameryError("internal", `there is no check "${name}"`);
  return check;
}

/** Starts a guest that runs `code`, as root, until something ends it; how it ended is told by `held`. */
async function hold(code: string): Promise<{ id: string }> {
  const guest = await machine.start(spec, never);
  const began = performance.now();
  const request = {
    argv: ["/usr/bin/python3.13", "-c", code],
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    user: "root",
    wallMs: 200_000,
    silenceMs: 0,
    outputBytes: MIB,
    events: false,
    dumpStacks: false,
  } as const;
  holding = guest
    .exec(request, { output: () => undefined }, never)
    .then(
      ({ code: exitCode, limit }) => ({ ended: `exit code ${exitCode}, limit ${limit}` }),
      (thrown: unknown) => ({
        ended: thrown instanceof CreameryError ? thrown.code : String(thrown),
      }),
    )
    .then(async ({ ended }) => {
      const seconds = (performance.now() - began) / 1000;
      await guest.stop();
      return { ended, seconds };
    });
  return { id: guest.id };
}

/** ms from start() to a guest whose agent said hello; the pool is given the time between two attempts to fill. */
async function bench(pooled: boolean, count: number): Promise<number[]> {
  const startMs: number[] = [];
  if (pooled) machine.keepReady(spec, 1);
  for (let index = 0; index < count; index++) {
    if (pooled) await new Promise((resolve) => setTimeout(resolve, 1500));
    const began = performance.now();
    const guest = await machine.start(spec, never);
    startMs.push(performance.now() - began);
    await guest.stop();
  }
  machine.keepReady(spec, 0);
  return startMs;
}
