import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { sql } from "kysely";

import { comparisonId, comparisonKey } from "../src/judge/comparison-id.ts";
import { sampleCompared, sampleComparison } from "../src/judge/comparison-json.sample.ts";
import { attemptKey } from "../src/worker/bucket-keys.ts";
import { openDatabase } from "../src/store/open-database.ts";
import { sampleSite, type SampleSite } from "../src/web/pages/site.sample.ts";
import { startCluster } from "../test/postgresql/cluster.ts";
import { bar, printBars, type Bar } from "./bars.ts";
import { copyStore, fillStore, projectName, type Filling, type StoreSize } from "./filled-store.ts";

/**
 * Every page over a store with 1.8 million jobs and 200,000 attempts, on SQLite and on PostgreSQL: what the farm itself takes
 * from a request to the last byte of its answer, 200 requests of each, one after the other, each for something else.
 */
const SIZE: StoreSize = {
  projects: numberOf("--projects", 45_000),
  configurations: numberOf("--configurations", 40),
  attempts: numberOf("--attempts", 200_000),
  releases: numberOf("--releases", 100),
};
const REQUESTS = numberOf("--requests", 200);
const REPORTS = 20;
const BAR_MS = 50;
const COMPARISON = comparisonId(sampleComparison(), Date.now());

const say = (line: string) => process.stderr.write(`${line}\n`);
const bars: Bar[] = [];
const directory = mkdtempSync(join(tmpdir(), "creamery-bench-pages-"));
try {
  const file = join(directory, "store.sqlite");
  let filling: Filling;
  {
    await using database = await openDatabase(file);
    filling = await fillStore(database, SIZE, say);
  }
  await measure("SQLite", file, filling);
  await using cluster = await startCluster();
  const url = await cluster.database();
  say("the same in PostgreSQL");
  await copyStore(file, url, join(directory, "archive"));
  await using database = await openDatabase(url);
  // As its own housekeeping does after so many rows.
  await database.read((db) => sql`analyze`.execute(db));
  await measure("PostgreSQL", url, filling);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
printBars(bars, process.argv);

/** Paths of one page, each time another's. */
function pagesOf({ attempts, largest }: Filling): ReadonlyMap<string, (turn: number) => string> {
  const attempt = (turn: number) => attempts[(turn * 7919) % attempts.length] ?? attempts[0];
  const project = (turn: number) => projectName(1 + ((turn * 7919) % (SIZE.projects - 1)));
  const of = (turn: number) => attempt(turn)?.project ?? "";
  return new Map<string, (turn: number) => string>([
    ["/", () => "/"],
    ["/p/NAME, 40 configurations x 100 releases", () => `/p/${largest}`],
    ["/p/NAME", (turn) => `/p/${of(turn)}`],
    ["/p/NAME/VERSION", (turn) => `/p/${of(turn)}/${attempt(turn)?.version ?? ""}`],
    ["/p/NAME/feed.xml", (turn) => `/p/${of(turn)}/feed.xml`],
    ["/p/NAME/matrix.svg", () => `/p/${largest}/matrix.svg`],
    ["/badge/NAME.svg", () => `/badge/${largest}.svg`],
    ["/a/ATTEMPT", (turn) => `/a/${attempt(turn)?.id ?? ""}`],
    ["/a/ATTEMPT, 5,000 tests in its report", (turn) => `/a/${attempts[turn % REPORTS]?.id ?? ""}`],
    [
      "/a/ATTEMPT/log/2, of 20,000 lines",
      (turn) => `/a/${attempts[turn % REPORTS]?.id ?? ""}/log/2`,
    ],
    ["/queue", () => "/queue"],
    ["/queue of a project", (turn) => `/queue?project=${project(turn)}`],
    ["/hosts", () => "/hosts"],
    ["/images", () => "/images"],
    ["/changes", () => "/changes"],
    ["/changes of 30 days", () => "/changes?days=30"],
    ["/changes/feed.xml", () => "/changes/feed.xml"],
    ["/compare", () => "/compare"],
    ["/compare/ID, 200 projects", () => `/compare/${COMPARISON}`],
    ["/search", (turn) => `/search?q=project-${1 + (turn % 9)}`],
    ["/about", () => "/about"],
  ]);
}

async function measure(name: string, location: string, filling: Filling): Promise<void> {
  await using database = await openDatabase(location);
  await using site = await sampleSite({ database });
  site.farm.nowMs = Date.now();
  await fillBucket(site, filling);
  for (const [page, pathOf] of pagesOf(filling)) {
    const times: number[] = [];
    let largestBody = Buffer.alloc(0);
    for (let turn = 0; turn < REQUESTS; turn++) {
      const path = pathOf(turn);
      // One a second: what is kept for a while is read anew from time to time, as it is on a farm.
      site.farm.nowMs += 1000;
      const began = performance.now();
      const answer = await site.get(path);
      const body = Buffer.from(await answer.arrayBuffer());
      times.push(performance.now() - began);
      if (body.length > largestBody.length) largestBody = body;
      if (answer.status !== 200) throw new Error(`${path} is answered ${answer.status}`);
    }
    times.sort((one, other) => one - other);
    const at = (part: number) => times[Math.floor((times.length - 1) * part)] ?? Number.NaN;
    bars.push(
      bar(`${name}: ${page}, p95`, at(0.95), "ms", { op: "<", than: BAR_MS }),
      bar(`${name}: ${page}, median`, at(0.5), "ms"),
      bar(
        `${name}: ${page}, largest, packed`,
        gzipSync(largestBody).length / 1000,
        "kB",
        page.startsWith("/p/NAME") ? { op: "<", than: 100 } : undefined,
      ),
    );
    say(`${name}: ${page}: p95 ${at(0.95).toFixed(1)} ms, most ${at(1).toFixed(1)} ms`);
  }
}

/** Reports and logs of some attempts, and a comparison. */
async function fillBucket({ farm }: SampleSite, { attempts }: Filling): Promise<void> {
  const { signal } = new AbortController();
  const results = Array.from({ length: 5000 }, (_, index) => ({
    id: `tests/test_${index % 40}.py::test_case[${index}]`,
    outcome: index % 50 === 0 ? "failed" : "passed",
    seconds: 0.01,
    ...(index % 50 === 0 ? { message: "AssertionError" } : {}),
  }));
  const report = {
    counts: { collected: 5000, passed: 4900, failed: 100, errors: 0, skipped: 0, deselected: 0 },
    results,
    origin: "recorded",
    complete: true,
    contradictions: [],
    unfinished: [],
    imported: {},
    collectionErrors: [],
  };
  const log = Array.from({ length: 20_000 }, (_, line) =>
    line % 4000 === 0 ? `== step ${line}: command` : `line ${line} of what a package wrote`,
  ).join("\n");
  const compared = Array.from({ length: 200 }, (_, index) =>
    sampleCompared({
      project: projectName(index),
      verdict: index % 9 === 0 ? "newly-broken" : "unchanged",
    }),
  );
  const comparison = JSON.stringify({ ...sampleComparison({ compared }), id: COMPARISON });
  await farm.bucket.create(comparisonKey(COMPARISON), Buffer.from(comparison), {
    signal,
    compression: "gzip",
  });
  for (const { id } of attempts.slice(0, REPORTS)) {
    const put = (name: string, text: string) =>
      farm.bucket.create(attemptKey(id, name), Buffer.from(text), { signal, compression: "gzip" });
    await put("report.json", JSON.stringify(report));
    await put("log.txt", log);
  }
}

function numberOf(name: string, usual: number): number {
  const place = process.argv.indexOf(name);
  return place < 0 ? usual : Number(process.argv[place + 1]);
}
