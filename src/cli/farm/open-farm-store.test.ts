import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";

import { startCluster, type Cluster } from "../../../test/postgresql/cluster.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { findAttempt } from "../reproduce/find-attempt.ts";
import { openFarmStore } from "./open-farm-store.ts";

let directory = "";
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ settings: { fsync: "off" } });
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-farm-store-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test.each([
  ["SQLite", async () => join(directory, "store.sqlite")],
  ["PostgreSQL", () => cluster.database()],
])("an attempt that was kept in %s is found there by the beginning of its id", async (_, place) => {
  const location = await place();
  {
    await using store = await openFarmStore(location);
    await store.recordAttempt({
      attempt: sampleAttempt({ id: "abc1" }),
      visibility: "public",
      reason: "manual",
      startedAt: "2026-11-24T10:00:00.000Z",
      results: [],
    });
  }
  expect((await findAttempt(location, "abc")).attempt.id).toBe("abc1");
  await expect(findAttempt(location, "x")).rejects.toMatchObject({ code: "unknown-attempt" });
});
