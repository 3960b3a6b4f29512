import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { findQemu } from "../src/launcher/qemu/qemu-program.ts";
import {
  cacheDirectory,
  FarmUnderTest,
  imageForTests,
} from "../src/machine/contract/farm-under-test.ts";
import { BareMachine } from "./bare-machine.ts";
import { bar, median, printBars, type Bar } from "./bars.ts";

/**
 * Virtual machines without KVM. First one machine, gone on with in two ways from the same command line: as a copy whose memory is mapped, and by
 * `loadvm`; in turn, so that a busy moment is both's. Then the farm's own guests: one more idle one, eight at once, from the pool.
 */
const COPIES = 20;
const AT_ONCE = 8;
const POOLED = 20;
/** Of the machine's memory, how much is written to when it is copied; the first is what it uses by itself. */
const LEVELS = [
  { name: "nothing added", dirtyBytes: 0, times: undefined, note: undefined },
  { name: "465 MB dirty", dirtyBytes: 465e6, times: 8, note: 1.5 },
  { name: "2 GB dirty", dirtyBytes: 2e9, times: 50, note: 3 },
] as const;
type Resumed = Awaited<ReturnType<BareMachine["resume"]>>;
const MB = 1e6;
const MIB = 1024 * 1024;

const answered = z.object({ startMs: z.array(z.number()) });
const together = z.object({ lastMs: z.number() });
const bars: Bar[] = [];
const say = (line: string) => process.stderr.write(`${line}\n`);

await compareWithLoadvm();
await measureFarm();
printBars(bars, process.argv);

async function compareWithLoadvm(): Promise<void> {
  const base = mkdtempSync(join(tmpdir(), "creamery-resume-"));
  try {
    const qemu = await findQemu(process.env);
    const [imagesDir, imageId] = [join(cacheDirectory(), "images"), imageForTests()];
    const disk = join(base, "image.ext4");
    await BareMachine.imageDisk(imagesDir, imageId, disk);
    const copied: number[] = [];
    let ownBytes = 0;
    for (const { name, dirtyBytes, times, note } of LEVELS) {
      say(`booting a machine, ${name}`);
      const ballastMib = Math.max(0, Math.round((dirtyBytes - ownBytes) / MIB));
      const directory = join(base, `ballast-${ballastMib}`);
      mkdirSync(directory);
      const made = await BareMachine.make({
        directory,
        imagesDir,
        imageId,
        disk,
        qemu,
        ballastMib,
      });
      if (ballastMib === 0) ownBytes = made.dirtyBytes;
      const dirty = `${Math.round(made.dirtyBytes / MB)} MB dirty`;
      const took: Record<"copy" | "loadvm", Resumed[]> = { copy: [], loadvm: [] };
      for (let index = 0; index < COPIES; index++) {
        for (const way of ["copy", "loadvm"] as const) {
          if (way === "loadvm" && times === undefined) continue;
          // Each that counts comes after one of its own kind, as it does on a farm: gigabytes of the other's turn over the host's caches.
          await made.machine.resume(way);
          took[way].push(await made.machine.resume(way));
        }
      }
      const copy = medians(took.copy);
      copied.push(copy.startMs);
      bars.push(
        bar(`copy: QEMU's start to the agent's reply, ${dirty}`, copy.startMs, "ms"),
        bar(`  of it from QEMU being there, as in the pool`, copy.resumeMs, "ms"),
      );
      if (times === undefined) continue;
      const loadvm = medians(took.loadvm);
      const wanted = { op: ">=", than: times } as const;
      bars.push(
        bar(`loadvm of the same machine, ${dirty}`, loadvm.startMs, "ms"),
        bar(`  the design note's own estimate for it`, note * 1000, "ms"),
        bar(`  a copy is so many times quicker`, loadvm.startMs / copy.startMs, "x", wanted),
        bar(`  from QEMU being there`, loadvm.resumeMs / copy.resumeMs, "x"),
      );
      rmSync(directory, { recursive: true });
    }
    const flatness = (Math.max(...copied) / Math.min(...copied) - 1) * 100;
    bars.push(
      bar("copy: slowest of the three beside the quickest", flatness, "% more", {
        op: "<=",
        than: 40,
      }),
    );
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

function medians(took: readonly Resumed[]): Resumed {
  return {
    startMs: median(took.map(({ startMs }) => startMs)),
    resumeMs: median(took.map(({ resumeMs }) => resumeMs)),
  };
}

async function measureFarm(): Promise<void> {
  await using farm = await FarmUnderTest.open("qemu");
  say("the farm's own guests");
  // The first makes the snapshot where there is none.
  await farm.ask("bench", "cold", "1");
  const { startMs: cold } = answered.parse(await farm.ask("bench", "cold", String(COPIES)));
  bars.push(bar(`farm: start to hello, median of ${COPIES}`, median(cold), "ms"));
  await farm.ask("keep", "4");
  // A quarter of a second each: they are there, and nobody has asked for one.
  await sleep(5000);
  const waiting = guestsOf(farm).map((group) => ownMemory(group) / MB);
  await farm.ask("keep", "0");
  const last: number[] = [];
  const answeredOnce: number[] = [];
  for (let round = 0; round < 5; round++) {
    const { lastMs } = together.parse(await farm.ask("together", String(AT_ONCE)));
    last.push(lastMs);
    answeredOnce.push(...guestsOf(farm).map((group) => ownMemory(group) / MB));
    await farm.ask("stop-all");
  }
  bars.push(
    bar(`farm: ${AT_ONCE} at once, last one ready, median of ${last.length}`, median(last), "ms", {
      op: "<",
      than: 2500,
    }),
    bar(
      `farm: own memory of one more idle guest (waiting in the pool, all its processes), median of ${waiting.length}`,
      median(waiting),
      "MB",
      { op: "<", than: 30 },
    ),
    bar(
      `farm: own memory of one that has answered once, all its processes, median of ${answeredOnce.length}`,
      median(answeredOnce),
      "MB",
    ),
  );
  const { startMs: pooled } = answered.parse(await farm.ask("bench", "pool", String(POOLED)));
  bars.push(
    bar(`farm: from the pool, claim to ready, median of ${POOLED}`, median(pooled), "ms", {
      op: "<",
      than: 150,
    }),
  );
}

/** The control groups of the farm's guests. */
function guestsOf(farm: FarmUnderTest): string[] {
  const session = farm.session.split("/").at(-1) ?? "";
  const group = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"]
    .map((root) => join(root, "creamery", session))
    .find((path) => existsSync(path));
  if (group === undefined) return [];
  return readdirSync(group, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^g\d+$/u.test(entry.name))
    .map((entry) => join(group, entry.name));
}

/** Bytes that are a guest's alone (Pss_Anon), of all processes in its control group. */
function ownMemory(group: string): number {
  let bytes = 0;
  for (const pid of readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean)) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    bytes += Number(/^Pss_Anon:\s+(\d+) kB/mu.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return bytes;
}
