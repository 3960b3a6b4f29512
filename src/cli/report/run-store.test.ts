import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { runPage } from "../../pages/files/run-page.ts";
import { KeptLogs } from "../../pages/log/kept-logs.ts";
import { sampleFarm, type SampleFarm } from "../../web/api/farm.sample.ts";
import { planRun } from "./plan-report.ts";
import { faultyLinks, MemoryTree, type WrittenFiles } from "./report.sample.ts";
import { openRunStore } from "./run-store.ts";
import { writeReport } from "./write-report.ts";

let farm: SampleFarm;
let workDirectory = "";
beforeEach(async () => {
  farm = await sampleFarm();
  workDirectory = mkdtempSync(join(tmpdir(), "creamery-run-"));
});
afterEach(async () => {
  await farm[Symbol.asyncDispose]();
  rmSync(workDirectory, { recursive: true, force: true });
});

async function writtenRun(
  ids: readonly string[],
  missing: readonly string[] = [],
): Promise<WrittenFiles> {
  await using run = await openRunStore(farm.store, ids, workDirectory);
  await using logs = new KeptLogs({ bucket: farm.bucket, directory: workDirectory });
  const sink = new MemoryTree();
  await writeReport({
    sources: { database: run.database, bucket: farm.bucket, logs, imagesDir: null },
    plan: planRun([...run.attempts, ...run.confirming]),
    sink,
    url: null,
    front: (context) => runPage({ attempts: run.attempts, missing }, context),
    tell: () => undefined,
    onAttempts: () => undefined,
    signal: new AbortController().signal,
  });
  return sink.files;
}

test("pages of one run have its attempts, private ones too, and nothing else of the farm", async () => {
  await farm.record({ project: "attrs" });
  const before = await farm.record({
    project: "six",
    version: "1.0",
    outcome: "pass",
    cause: null,
  });
  const own = await farm.record({ project: "six", version: "1.1" });
  const again = await farm.record(
    { project: "six", version: "1.1" },
    { reason: "confirm", of: own },
  );
  const mine = await farm.record(
    { project: "mine", version: "0.1", outcome: "pass", cause: null, configuration: "pypy-3.11" },
    { visibility: "private", reason: "manual" },
  );
  const files = await writtenRun([own, mine], ["six 1.1 on cpython-3.16: not in the image"]);
  expect(faultyLinks(files)).toEqual([]);
  const pages = [...files.keys()].filter((path) => /^a\/[^/]+\/index\.html$/u.test(path));
  expect(pages.toSorted()).toEqual([own, again, mine].map((id) => `a/${id}/index.html`).toSorted());
  for (const content of files.values()) expect(content.toString("utf8")).not.toContain("attrs");

  const front = files.get("index.html")?.toString("utf8") ?? "";
  expect(front).toContain("<h1>1 of 2 attempts pass or were skipped, 1 did not</h1>");
  expect(front).toContain("six 1.1 on cpython-3.16: not in the image");
  // What it is compared with is told, and leads nowhere.
  const attempt = files.get(`a/${own}/index.html`)?.toString("utf8") ?? "";
  expect(attempt).toContain(before);
  expect(attempt).not.toContain(`href="../${before}/`);
});

test("of a run that came to nothing there is a page that says so", async () => {
  const files = await writtenRun([]);
  expect(files.get("index.html")?.toString("utf8")).toContain("Nothing came to its end");
  expect(faultyLinks(files)).toEqual([]);
});
