import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { launcher } from "../../launcher/client.ts";
import { openMachine } from "../open-machine.ts";
import { CHECKS } from "./checks.ts";
import type { FarmAnswer } from "./farm-under-test.ts";

/**
 * What the tests start in place of the command line: an unprivileged process of a real launcher, which does what
 * lines of its standard input say.
 */
const [kind = "gvisor", imageId = ""] = process.argv.slice(2);
const MIB = 1024 * 1024;
const spec = { imageId, memoryBytes: 300 * MIB, diskBytes: 100 * MIB, cpuSeconds: 600, pids: 100 };
const never = new AbortController().signal;

function answer(message: FarmAnswer): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

const machine = await openMachine(kind === "container" ? "container" : "gvisor");
answer({ ready: true, session: launcher().sessionDirectory, uid: process.getuid?.() ?? -1 });

for await (const line of createInterface({ input: process.stdin })) {
  const [command = "", ...words] = line.split("\t");
  try {
    switch (command) {
      case "check":
        await CHECKS[words[0] ?? ""]?.({ machine, spec, signal: never });
        answer({ done: true, value: null });
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
