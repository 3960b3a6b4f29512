import { setTimeout as sleep } from "node:timers/promises";

import { expect, test } from "vitest";

import { sampleAttempt } from "../../model/result-json.sample.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
import { ChangeRecorder } from "./change-recorder.sample.ts";
import { insertResult } from "./sql-store.ts";

const STARTED_MS = Date.UTC(2026, 10, 24, 10);
const PASS = { outcome: "pass", cause: null, confidence: "unconfirmed" } as const;
const BUILD = {
  phase: "build",
  outcome: "fail",
  cause: "build-backend(hatchling)",
  confidence: "unconfirmed",
} as const;

const SLOW = {
  visibility: "public",
  reason: "release",
  startedAt: "2026-11-24T10:00:00Z",
  results: [],
} as const;

/** Where projects stand, and when that changed, in either database. */
export function verdictContract(open: () => Promise<Database>): void {
  async function opened() {
    const database = await open();
    const recorder = new ChangeRecorder(database, STARTED_MS);
    const record = recorder.record.bind(recorder);
    return {
      database,
      record,
      changes: () =>
        database.read((db) =>
          db
            .selectFrom("verdict_change")
            .innerJoin("project", "project.id", "verdict_change.project_id")
            .innerJoin("configuration", "configuration.id", "verdict_change.configuration_id")
            .selectAll("verdict_change")
            .select(["project.name as project", "configuration.name as configuration"])
            .orderBy("verdict_change.id")
            .execute(),
        ),
      cells: () => database.read((db) => db.selectFrom("verdict").selectAll().execute()),
      [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
    };
  }

  test("a change is kept with what was before, by whom, and when it came to its end", async () => {
    await using farm = await opened();
    const before = await farm.record({ ...PASS, version: "1.0" });
    const attempt = await farm.record({
      version: "1.1",
      cause: "removed-api(imp)",
      seconds: { total: 2.5 },
    });
    const fixed = await farm.record({ ...PASS, version: "1.2" });
    expect(await farm.changes()).toMatchObject([
      {
        project: "mine",
        configuration: "cpython-3.13",
        line: "",
        kind: "broke",
        version: "1.1",
        attempt,
        outcome: "fail",
        cause: "removed-api(imp)",
        before_version: "1.0",
        before_attempt: before,
        before_outcome: "pass",
        before_cause: null,
        root: "removed-api(imp)",
        at_ms: STARTED_MS + 2000 + 2500,
      },
      {
        kind: "fixed",
        version: "1.2",
        attempt: fixed,
        cause: null,
        before_attempt: attempt,
        before_cause: "removed-api(imp)",
        root: "removed-api(imp)",
      },
    ]);
  });

  test("the same attempt said again changes nothing, whatever it says", async () => {
    await using farm = await opened();
    await farm.record(PASS);
    const id = await farm.record();
    await farm.record({ id });
    await farm.record({ id, ...PASS });
    expect((await farm.changes()).map(({ kind }) => kind)).toEqual(["broke"]);
  });

  test("projects, configurations, releases and branches stand each by themselves", async () => {
    await using farm = await opened();
    const repository = { source: { kind: "repository", sha256: "c".repeat(64) } } as const;
    for (const change of [
      {},
      { project: "other" },
      { configuration: "pypy-3.11" },
      repository,
    ] as const) {
      await farm.record({ ...PASS, ...change });
      await farm.record(change);
    }
    const told = (await farm.changes()).map(
      ({ project, configuration, line, kind }) => `${project} ${configuration} ${line} ${kind}`,
    );
    expect(told).toEqual([
      "mine cpython-3.13  broke",
      "other cpython-3.13  broke",
      "mine pypy-3.11  broke",
      "mine cpython-3.13 HEAD broke",
    ]);
  });

  test("what settles nothing costs no row", async () => {
    await using farm = await opened();
    await farm.record({ confidence: "flaky" });
    await farm.record({ outcome: "error", cause: "agent-lost" });
    await farm.record({ outcome: "skip", cause: "smoke-only" });
    await farm.record({ ...PASS, source: { kind: "wheel", sha256: "d".repeat(64) } });
    await farm.record({}, { reason: "confirm", of: "a0" });
    expect(await farm.cells()).toEqual([]);
  });

  test("what nothing confirms waits in the store for a second attempt", async () => {
    await using farm = await opened();
    const settled = await farm.record(PASS);
    const first = await farm.record(BUILD);
    expect(await farm.cells()).toMatchObject([{ attempt: settled, pending: first }]);
    expect(await farm.changes()).toEqual([]);
    const second = await farm.record(BUILD);
    expect(await farm.cells()).toMatchObject([{ attempt: second, pending: null }]);
    expect(await farm.changes()).toMatchObject([
      { kind: "broke", attempt: second, before_attempt: settled, root: "build-backend(hatchling)" },
    ]);
  });

  test("an older release, and an attempt that comes late, change nothing", async () => {
    await using farm = await opened();
    const settled = await farm.record({ ...PASS, version: "1.10" });
    await farm.record({ version: "1.9" });
    await farm.record({ version: "1.10", id: newAttemptId(STARTED_MS - 1) });
    expect(await farm.changes()).toEqual([]);
    expect(await farm.cells()).toMatchObject([{ attempt: settled, pending: null }]);
  });

  test("is grouped by what was new when it was tested again", async () => {
    await using farm = await opened();
    await farm.record(PASS);
    await farm.record({ why: "numpy 2.4 is new" }, { reason: "retest" });
    expect(await farm.changes()).toMatchObject([{ root: "numpy 2.4" }]);
  });

  test("many that write one cell at once see each other: nothing breaks twice", async () => {
    await using farm = await opened();
    await farm.record(PASS);
    const ids = Array.from({ length: 12 }, (_, at) => newAttemptId(STARTED_MS + 60_000 + at));
    await Promise.all(ids.map((id) => farm.record({ id })));
    const told = await farm.changes();
    expect(told.map(({ kind }) => kind)).toEqual(["broke"]);
    // The one that was begun last, whichever was kept last.
    expect(await farm.cells()).toMatchObject([{ attempt: ids.at(-1) }]);
  });

  test("a change is not seen while one with a smaller number may still come: who reads on after the last misses none", async () => {
    await using farm = await opened();
    for (const project of ["slow", "quick"]) await farm.record({ ...PASS, project });
    const order: string[] = [];
    const holds = Promise.withResolvers<void>();
    const slow = farm.database.write(async (within) => {
      await insertResult(within, {
        ...SLOW,
        attempt: sampleAttempt({ id: "z1", project: "slow" }),
      });
      holds.resolve();
      await sleep(100);
      order.push("slow");
    });
    await holds.promise;
    const quick = farm.record({ id: "z2", project: "quick" }).then(() => order.push("quick"));
    await Promise.all([slow, quick]);
    expect(order).toEqual(["slow", "quick"]);
    expect((await farm.changes()).map(({ project }) => project)).toEqual(["slow", "quick"]);
  });

  test("hostile names and causes are kept bounded, and as they are shown", async () => {
    await using farm = await opened();
    const hostile = `\0\u202e'; drop table verdict; --${"x".repeat(9000)}`;
    await farm.record({ ...PASS, version: hostile });
    await farm.record({ version: hostile, cause: `dependency-build(${hostile})` });
    const [only] = await farm.changes();
    expect(only?.kind).toBe("broke");
    expect(only?.root).toMatch(/^\\x00\\u202e'; drop table/u);
    expect(
      [only?.version, only?.cause, only?.root].every((text) => (text ?? "").length < 500),
    ).toBe(true);
  });

  test("a change is kept with its result or not at all", async () => {
    await using farm = await opened();
    await farm.record(PASS);
    const results = [
      {
        id: "x",
        outcome: "failed" as const,
        seconds: 0,
        get message(): string {
          throw new RangeError("half-way");
        },
      },
    ];
    await expect(farm.record({}, { results })).rejects.toThrow("half-way");
    expect(await farm.changes()).toEqual([]);
  });
}
