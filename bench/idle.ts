import { setTimeout as sleep } from "node:timers/promises";

import { upstreamsOf } from "../test/guest/upstreams-of.ts";
import { makeWheel } from "../test/upstream/make-wheel.ts";
import { startUpstream } from "../test/upstream/upstream.ts";
import { bar, printBars } from "./bars.ts";
import { RunningFarm, type ProcessFacts } from "./running-farm.ts";

/**
 * What `creamery up` costs while nothing happens: an index of ours with five watched names, a worker with nothing to do, all processes
 * of it together. As root.
 *
 *     npm run -s bench:idle -- [--seconds N] [--json]
 */

const argv = process.argv.slice(2);
const at = argv.indexOf("--seconds");
const SECONDS = at < 0 ? 60 : Number(argv[at + 1]);
const NAMES = ["one", "two", "three", "four", "five"].map((word) => `creamery-idle-${word}`);
const REST_MS = 20 * 60_000;

await using upstream = await startUpstream({
  etag: true,
  // No interpreter takes them: they are watched, judged and at rest soon.
  files: NAMES.map((project) => ({
    project,
    filename: `${project.replaceAll("-", "_")}-1.0-py3-none-any.whl`,
    content: makeWheel(project, "1.0", { "it.py": "" }, [], ">=99"),
    requiresPython: ">=99",
  })),
});
const residentOf = (all: readonly ProcessFacts[]) =>
  all.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
const config = { upstreams: upstreamsOf(upstream.url) };
const first = await RunningFarm.start(config, NAMES, true);
await first.idle(REST_MS);
await sleep(15_000);
const firstBytes = residentOf(first.processes());
await first[Symbol.asyncDispose]();
// What this one compiles is kept for the next, at the same place.
await (await RunningFarm.start(config, NAMES))[Symbol.asyncDispose]();
await using farm = await RunningFarm.start(config, NAMES);
await farm.idle(REST_MS);
// What the start and the first jobs have left for the collector.
await sleep(15_000);
const before = farm.processes();
const began = performance.now();
await sleep(SECONDS * 1000);
const seconds = (performance.now() - began) / 1000;
const after = farm.processes();
const cpuOf = (all: typeof after) => all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
for (const { pid, residentBytes, command } of after)
  process.stderr.write(`${pid}: ${Math.round(residentBytes / 1e6)} MB ${command.slice(0, 100)}\n`);
printBars(
  [
    bar("CPU share of idle `creamery up`", ((cpuOf(after) - cpuOf(before)) / seconds) * 100, "%", {
      op: "<",
      than: 1,
    }),
    bar("resident memory of its processes, added", residentOf(after) / 1e6, "MB", {
      op: "<",
      than: 250,
    }),
    bar("the same at the first start of all, when all is compiled", firstBytes / 1e6, "MB", {
      op: "<",
      than: 250,
    }),
    bar("processes", after.length, ""),
    bar("requests to the index in that time and before", upstream.requests.length, ""),
  ],
  argv,
);
