import { expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import { sampleAttempt } from "../model/result-json.sample.ts";
import type { AttemptJson } from "../model/result-json.ts";
import type { AttemptRecording, Store } from "./store.ts";

/** What every kind of store does alike; `open` opens the same, at first empty, store each time it is called within one test. */
export function storeContract(open: () => Promise<Store>): void {
  const recording = (
    change: Partial<AttemptJson> = {},
    more: Partial<AttemptRecording> = {},
  ): AttemptRecording => ({
    attempt: sampleAttempt(change),
    visibility: "public",
    reason: "manual",
    startedAt: "2026-11-24T10:00:00.000Z",
    results: [],
    ...more,
  });

  test("gives back what was kept, whole, also after it was opened anew", async () => {
    const kept = recording({ id: "a1" }, { visibility: "private", reason: "reproduce", of: "a0" });
    {
      await using store = await open();
      await store.recordAttempt(kept);
    }
    await using store = await open();
    expect(await store.attempt("a1")).toEqual({
      attempt: kept.attempt,
      visibility: "private",
      reason: "reproduce",
      of: "a0",
      startedAt: "2026-11-24T10:00:00.000Z",
    });
  });

  test("keeps nothing where there is nothing: no cause, no tests, no plan, no axes' lock", async () => {
    await using store = await open();
    const base = sampleAttempt();
    const empty = sampleAttempt({
      id: "a1",
      cause: null,
      tests: null,
      smoke: null,
      comparison: null,
      installed: null,
      log: null,
      report: null,
      plan: { rung: null, command: null, rejected: [] },
      axes: { ...base.axes, lock: null, plan: null },
    });
    await store.recordAttempt(recording(empty));
    expect((await store.attempt("a1"))?.attempt).toEqual(empty);
  });

  test("keeps hostile text as text", async () => {
    await using store = await open();
    const hostile = "'; drop table attempt; -- \u202e \u0001 ü 漢 \\ \" %_~";
    const attempt = sampleAttempt({
      id: "a1",
      version: hostile,
      cause: `removed-api(${hostile})`,
      plan: { rung: hostile, command: hostile, rejected: [] },
    });
    await store.recordAttempt(
      recording(attempt, {
        results: [{ id: hostile, outcome: "failed", seconds: 0, message: hostile }],
      }),
    );
    expect((await store.attempt("a1"))?.attempt).toEqual(attempt);
    expect(await store.nonPasses("a1")).toEqual([
      { id: hostile, outcome: "failed", message: hostile },
    ]);
  });

  test("keeps names that no index can hold by their beginning, and tells two of them apart", async () => {
    await using store = await open();
    const long = (end: string) => `${"x\u{1f600}".repeat(4000)}${end}`;
    const results = ["a", "b"].map((end) => ({
      id: long(end),
      outcome: "failed" as const,
      seconds: 0,
    }));
    await store.recordAttempt(recording({ id: "a1", version: long("1") }, { results }));
    await store.recordAttempt(recording({ id: "a2", version: long("2") }));
    expect(await store.nonPasses("a1")).toHaveLength(2);
    const versions = (await store.attempts({ limit: 5 })).map(({ attempt }) => attempt.version);
    expect(new Set(versions).size).toBe(2);
    expect(versions.every((version) => version.length < 500 && version.startsWith("x"))).toBe(true);
  });

  test("keeps an attempt once, however often it is said", async () => {
    await using store = await open();
    await store.recordAttempt(recording({ id: "a1" }));
    await store.recordAttempt(recording({ id: "a1", outcome: "pass", cause: null }));
    expect(await store.attempts({ limit: 10 })).toHaveLength(1);
    expect((await store.attempt("a1"))?.attempt.outcome).toBe("fail");
  });

  test("keeps many at once, none of them in another's transaction", async () => {
    await using store = await open();
    const ids = Array.from({ length: 20 }, (_, index) => `a${String(index).padStart(2, "0")}`);
    await Promise.all(ids.map((id) => store.recordAttempt(recording({ id, version: id }))));
    expect((await store.attempts({ limit: 100 })).map(({ attempt }) => attempt.id)).toEqual(
      ids.toReversed(),
    );
  });

  test("keeps an attempt whole or not at all", async () => {
    await using store = await open();
    // The same id twice in one report would break the key; what cannot be kept at all is no text.
    const broken = recording({ id: "a1" });
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
    await expect(store.recordAttempt({ ...broken, results })).rejects.toThrow(CreameryError);
    expect(await store.attempt("a1")).toBeNull();
    await store.recordAttempt(broken);
    expect(await store.attempt("a1")).not.toBeNull();
  });

  test("finds an attempt by a beginning that only one has", async () => {
    await using store = await open();
    await store.recordAttempt(recording({ id: "abc1" }));
    await store.recordAttempt(recording({ id: "abd2" }));
    expect((await store.attempt("abc"))?.attempt.id).toBe("abc1");
    expect(await store.attempt("ab")).toBeNull();
    expect(await store.attempt("%")).toBeNull();
    expect(await store.attempt("zz")).toBeNull();
  });

  test("keeps the tests that did not pass, and only those", async () => {
    await using store = await open();
    const results = [
      { id: "t::b", outcome: "failed" as const, seconds: 1, message: "AssertionError" },
      { id: "t::a", outcome: "error" as const, seconds: 1 },
      { id: "t::c", outcome: "passed" as const, seconds: 1 },
      { id: "t::b", outcome: "failed" as const, seconds: 1, message: "again" },
    ];
    await store.recordAttempt(recording({ id: "a1" }, { results }));
    await store.recordAttempt(recording({ id: "a2" }, { results: results.slice(0, 1) }));
    expect(await store.nonPasses("a1")).toEqual([
      { id: "t::a", outcome: "error", message: "" },
      { id: "t::b", outcome: "failed", message: "AssertionError" },
    ]);
    expect(await store.oftenFailing("mine", 1)).toEqual([{ id: "t::b", attempts: 2 }]);
    expect(await store.oftenFailing("other", 1)).toEqual([]);
  });

  test("lists newest first, by project and configuration, page by page", async () => {
    await using store = await open();
    for (const id of ["a1", "a2", "a3"]) await store.recordAttempt(recording({ id }));
    await store.recordAttempt(recording({ id: "a4", project: "other" }));
    await store.recordAttempt(recording({ id: "a5", configuration: "pypy-3.11" }));
    const ids = async (query: object) =>
      (await store.attempts({ limit: 2, ...query })).map(({ attempt }) => attempt.id);
    expect(await ids({ project: "mine" })).toEqual(["a5", "a3"]);
    expect(await ids({ project: "mine", olderThan: "a3" })).toEqual(["a2", "a1"]);
    expect(await ids({ configuration: "pypy-3.11" })).toEqual(["a5"]);
  });

  test("gives the newest older attempt as a baseline, never a failure of the farm's, a confirmation or an experiment", async () => {
    await using store = await open();
    await store.recordAttempt(
      recording({ id: "a1", version: "0.9", outcome: "pass", cause: null }),
    );
    await store.recordAttempt(recording({ id: "a2" }));
    await store.recordAttempt(recording({ id: "a3", outcome: "error", cause: "agent-lost" }));
    await store.recordAttempt(recording({ id: "a4", cause: "machine-difference" }));
    await store.recordAttempt(recording({ id: "a5" }, { reason: "confirm" }));
    await store.recordAttempt(recording({ id: "a5x" }, { reason: "experiment" }));
    await store.recordAttempt(recording({ id: "a6", configuration: "pypy-3.11" }));
    const baseline = async (change: object) =>
      (
        await store.latestComparable({
          project: "mine",
          configuration: "cpython-3.13",
          olderThan: "a9",
          ...change,
        })
      )?.attempt.id;
    expect(await baseline({})).toBe("a2");
    expect(await baseline({ version: "0.9" })).toBe("a1");
    expect(await baseline({ olderThan: "a2" })).toBe("a1");
    expect(await baseline({ olderThan: "a1" })).toBeUndefined();
  });
}
