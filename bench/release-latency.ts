import { setTimeout as sleep } from "node:timers/promises";

import { PASSING, packProjects } from "../test/guest/pack-projects.ts";
import { upstreamsOf } from "../test/guest/upstreams-of.ts";
import { startUpstream } from "../test/upstream/upstream.ts";
import { OUTCOMES } from "../src/model/attempt.ts";
import { quantile } from "../src/queue/release-latency.ts";
import { bar, printBars } from "./bars.ts";
import { RunningFarm, type LogLine } from "./running-farm.ts";

/**
 * From a release on an index of ours to its first verdict, with idle workers and polling as it is by default: a tiny project releases versions
 * at random instants. As the farm itself tells it, and as it is seen from outside. As root.
 *
 *     npm run -s bench:latency -- [--releases N] [--json]
 */

const argv = process.argv.slice(2);
const at = argv.indexOf("--releases");
const RELEASES = at < 0 ? 20 : Number(argv[at + 1]);
const PROJECT = "creamery-e2e-releases";
const REST_MS = 10 * 60_000;
const VERDICT_MS = 5 * 60_000;

const versions = Array.from({ length: RELEASES + 1 }, (_, index) => `1.${index}`);
const files = packProjects([{ name: PROJECT, versions, files: PASSING }]);
const filesOf = (version: string) =>
  files
    .filter(({ filename }) => new RegExp(`-${version}(?:-|\\.tar)`, "u").test(filename))
    .map((file) => ({ ...file, uploadTime: new Date().toISOString() }));

/** Not what was given back, failed by the farm's fault or could not be tested. */
function isVerdict({ outcome }: LogLine): boolean {
  return OUTCOMES.some((one) => one === outcome);
}

await using upstream = await startUpstream({
  files: filesOf(versions[0] ?? ""),
  etag: true,
  maxAgeSeconds: 0,
});
await using farm = await RunningFarm.start({ upstreams: upstreamsOf(upstream.url) }, [PROJECT]);
await farm.idle(REST_MS);
const outside: number[] = [];
for (const version of versions.slice(1)) {
  // At any place of the pause between two polls.
  await sleep(Math.random() * 15_000);
  upstream.files.push(...filesOf(version));
  const began = performance.now();
  await farm.until(
    () =>
      farm.log.some(
        (line) =>
          line.event === "worker-finished" && line["version"] === version && isVerdict(line),
      ),
    VERDICT_MS,
  );
  outside.push((performance.now() - began) / 1000);
  process.stderr.write(`${version}: ${outside.at(-1)?.toFixed(1)} s\n`);
  await farm.idle(REST_MS);
}
// Status is kept for ten seconds.
await sleep(11_000);
const { latency } = await farm.status();
const sorted = outside.toSorted((one, other) => one - other);
printBars(
  [
    bar(
      `release to first verdict, p50 of ${outside.length}, seen from outside`,
      quantile(sorted, 0.5),
      "s",
    ),
    bar("release to first verdict, p90, seen from outside", quantile(sorted, 0.9), "s", {
      op: "<",
      than: 15,
    }),
    bar(`as the farm tells it, p50 of ${latency?.count ?? 0}`, latency?.p50 ?? Number.NaN, "s"),
    bar("as the farm tells it, p90", latency?.p90 ?? Number.NaN, "s", { op: "<", than: 15 }),
  ],
  argv,
);
