import { afterAll, beforeAll, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { comparisonKey } from "../../judge/comparison-id.ts";
import { sampleCompared, sampleComparison } from "../../judge/comparison-json.sample.ts";
import type { Database } from "../../store/database.ts";
import { openDatabase } from "../../store/open-database.ts";
import { sampleSite } from "./site.sample.ts";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

const PATHS = [
  "/",
  "/queue",
  "/queue?project=six&state=queued&lane=priority&configuration=cpython-3.13",
  "/hosts",
  "/about",
  "/compare",
  `/compare/${"0".repeat(16)}`,
];

/** All of them, as a stranger and an operator who reads private results see them. */
async function pagesOf(database: Database | undefined): Promise<readonly string[]> {
  await using site = await sampleSite(database === undefined ? {} : { database });
  const { farm } = site;
  for (const [version, outcome, cause] of [
    ["1.0", "pass", null],
    ["2.0", "fail", "test-failure"],
  ] as const)
    for (const [project, visibility] of [
      ["six", "public"],
      ["secret", "private"],
    ] as const) {
      farm.nowMs += 1000;
      await farm.record({ project, version, outcome, cause }, { visibility });
    }
  await farm.enqueue("six");
  await farm.enqueue("secret", { visibility: "private" });
  const comparison = sampleComparison({
    compared: [sampleCompared(), sampleCompared({ project: "secret" })],
  });
  await farm.bucket.create(comparisonKey("0".repeat(16)), Buffer.from(JSON.stringify(comparison)), {
    signal: new AbortController().signal,
    compression: "none",
  });
  const as = await farm.token(["operate", "read-private"]);
  const texts: string[] = [];
  for (const path of PATHS) texts.push(await site.text(path), await site.text(path, as));
  return texts;
}

test("the farm's own pages are the same from either database", async () => {
  const sqlite = await pagesOf(undefined);
  const postgres = await pagesOf(await openDatabase(await cluster.database()));
  for (const [at, text] of postgres.entries()) expect(text, PATHS[at >> 1]).toBe(sqlite[at]);
  expect(sqlite.filter((_, at) => at % 2 === 0).join("")).not.toContain("secret");
});
