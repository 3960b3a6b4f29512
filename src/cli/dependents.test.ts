import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { sampleAttempt } from "../model/result-json.sample.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { Database } from "../store/database.ts";
import { openDatabase } from "../store/open-database.ts";
import { putSeenRelease } from "../store/sql/admission-rows.ts";
import { SqlStore } from "../store/sql/sql-store.ts";
import { shownCoverage } from "./coverage.ts";
import { shownDependents } from "./dependents.ts";

let directory = "";
let database: Database;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "creamery-dependents-"));
  database = await openDatabase(join(directory, "store.sqlite"));
});
afterEach(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function needs(project: string, name: string): Promise<void> {
  await new SqlStore(database).recordAttempt({
    attempt: sampleAttempt({ id: newAttemptId(), project }),
    visibility: "public",
    reason: "release",
    startedAt: "2026-11-24T10:00:00Z",
    results: [],
    dependencies: [{ name, kind: "run" }],
  });
}

test("who depends on a project is shown, those through others when they are asked for", async () => {
  await needs("pandas", "numpy");
  await needs("plots", "pandas");
  const plain = await shownDependents(database, "NumPy", {});
  expect(plain).toContain("numpy: 1 known projects depend on it\n");
  expect(plain).not.toContain("plots");
  const all = await shownDependents(database, "numpy", { transitive: true });
  expect(all).toContain("1 more through others");
  expect(all).toMatch(/plots +through 1/u);
  expect(JSON.parse(await shownDependents(database, "numpy", { json: true }))).toMatchObject({
    schema: 1,
    name: "numpy",
    direct: 1,
    list: [{ project: "pandas", distance: 1, kind: "run", dependents: 1 }],
  });
});

test("what is no name and no number is told in one line", async () => {
  await expect(shownDependents(database, "no such\u001b name", {})).rejects.toThrow(
    /is no project's name/u,
  );
  await expect(shownDependents(database, "six", { limit: "many" })).rejects.toThrow(
    /is no number of projects/u,
  );
  await expect(shownCoverage(database, { days: "x" }, 0)).rejects.toThrow(/is no number of days/u);
});

test("coverage tells each state, and what was not admitted with its reason", async () => {
  const nowMs = Date.parse("2026-11-24T12:00:00Z");
  for (const [project, decision] of [
    ["spam", "not-admitted"],
    ["six", "queued"],
  ] as const)
    await database.write((within) =>
      putSeenRelease(within, {
        project,
        version: "1.0",
        seen_ms: nowMs - 1000,
        class: "tail",
        decision,
        reason: "as it was",
        new_name: 1,
        expires_ms: null,
      }),
    );
  await needs("six", "attrs");
  const text = await shownCoverage(database, {}, nowMs);
  expect(text).toContain("2 releases were seen in 7 days");
  expect(text).toContain("spam 1.0 (tail): as it was");
  expect(JSON.parse(await shownCoverage(database, { json: true, days: "1" }, nowMs))).toMatchObject(
    {
      schema: 1,
      days: 1,
      seen: 2,
      states: { full: 1, "not-admitted": 1, "no-verdict": 0 },
      notAdmitted: [{ project: "spam", reason: "as it was" }],
    },
  );
});
