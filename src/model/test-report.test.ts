import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cpuMs } from "../../test/cpu-time.ts";
import { reportFromEvents } from "./test-report.ts";

const line = (event: object) => JSON.stringify({ pid: 7, ...event });
const start = line({ e: "start", runner: "pytest", version: "9.0" });
const collected = (count: number) => line({ e: "collected", count });
const begin = (id: string) => line({ e: "begin", id });
const result = (id: string, o: string, m?: string) =>
  line({ e: "result", id, o, s: 0.5, ...(m === undefined ? {} : { m }) });
const test = (id: string, o: string, m?: string) => [begin(id), result(id, o, m)];
const finish = (results: number, more: object = {}) =>
  line({ e: "finish", results, stopped: "", ...more });

describe("a whole report", () => {
  it("counts what ran or was skipped, and contradicts nothing", () => {
    const outcomes = ["passed", "failed", "error", "skipped", "xfailed", "xpassed"];
    const lines = [
      start,
      collected(6),
      line({ e: "deselected", count: 4 }),
      ...outcomes.flatMap((o) => test(`t::${o}`, o)),
      finish(6, { exit: 1 }),
    ];
    const report = reportFromEvents(lines, 1);
    expect(report).toMatchObject({
      counts: { collected: 6, passed: 1, failed: 1, errors: 1, skipped: 1, deselected: 4 },
      origin: "recorded",
      complete: true,
      contradictions: [],
    });
    expect(report.results.map(({ outcome }) => outcome)).toEqual(outcomes);
  });

  it("tells repeated ids apart, and shows no control character and nothing without end", () => {
    const ids = ["same", "same", "\u001b[31mred\u202e\n", "x".repeat(5000)];
    const report = reportFromEvents(
      [
        start,
        collected(4),
        ...ids.flatMap((id) => test(id, "failed", "m".repeat(9000))),
        finish(4),
      ],
      1,
    );
    const shown = report.results.map(({ id }) => id);
    expect(shown.slice(0, 3)).toEqual(["same", "same#2", String.raw`\x1b[31mred\u202e\n`]);
    expect(shown[3]?.length).toBe(480);
    expect(report.results[0]?.message?.length).toBe(4000);
    expect(report.contradictions).toEqual([]);
  });

  it("counts a module that skips itself as one skipped test, and keeps errors of collection apart", () => {
    const lines = [
      start,
      line({ e: "collect-skip", id: "a.py", m: "no numpy" }),
      line({ e: "collect-error", id: "b.py", m: "ModuleNotFoundError: No module named 'x'" }),
      collected(1),
      ...test("c.py::t", "passed"),
      finish(1, { exit: 2 }),
    ];
    const report = reportFromEvents(lines, 2);
    expect(report.counts).toMatchObject({ collected: 2, passed: 1, skipped: 1 });
    expect(report.collectionErrors).toEqual([
      { id: "b.py", message: "ModuleNotFoundError: No module named 'x'" },
    ]);
    expect(report).toMatchObject({ complete: true, contradictions: [] });
  });

  it("takes one error or skip of a class for all of its tests", () => {
    const lines = [
      line({ e: "start", runner: "unittest", version: "3.13" }),
      collected(9),
      result("setUpClass (m.C)", "skipped"),
      finish(1),
    ];
    expect(reportFromEvents(lines, 0)).toMatchObject({ complete: true, contradictions: [] });
  });

  it("adds up what several processes recorded", () => {
    const of = (pid: number) =>
      [start, collected(1), ...test(`t${pid}`, "passed"), finish(1)].map((text) =>
        text.replace('"pid":7', `"pid":${pid}`),
      );
    expect(reportFromEvents([...of(1), ...of(2)], 0)).toMatchObject({
      counts: { passed: 2 },
      complete: true,
      contradictions: [],
    });
  });

  it("holds nothing against exit 5 where nothing ran, nor 1 against an unexpected success of unittest", () => {
    expect(
      reportFromEvents([start, collected(0), finish(0, { exit: 5 })], 5).contradictions,
    ).toEqual([]);
    const unittest = [
      line({ e: "start", runner: "unittest", version: "3.13" }),
      collected(1),
      ...test("t", "xpassed"),
      finish(1),
    ];
    expect(reportFromEvents(unittest, 1).contradictions).toEqual([]);
  });

  it("of a hundred thousand tests is made in a few seconds", () => {
    const lines = [
      start,
      collected(100_000),
      ...Array.from({ length: 100_000 }, (_, index) => test(`t${index}`, "passed")).flat(),
      finish(100_000),
    ];
    const took = cpuMs(() =>
      expect(reportFromEvents(lines, 0)).toMatchObject({
        counts: { passed: 100_000 },
        complete: true,
      }),
    );
    expect(took).toBeLessThan(5000);
  });
});

describe("a report that can't be believed", () => {
  const passing = [start, collected(2), ...test("a", "passed"), ...test("b", "passed")];

  it.each([
    ["says nothing", [], 0, "no runner reported anything"],
    [
      "lacks its end, as after os._exit(0)",
      passing,
      0,
      "the runner never said that it had finished",
    ],
    [
      "lost a result",
      [...passing.slice(0, 4), finish(2)],
      0,
      "the runner counted 2 results, 1 came",
    ],
    [
      "has a test that began and never ended",
      [...passing, begin("c"), finish(2)],
      0,
      "c began and never ended",
    ],
    [
      "was stopped",
      [...passing, line({ e: "finish", results: 2, stopped: "pytest.exit" })],
      0,
      "the run was stopped: pytest.exit",
    ],
    [
      "ran less than it collected",
      [start, collected(3), ...passing.slice(2), finish(2)],
      0,
      "3 tests were collected, 2 have results",
    ],
    [
      "broke inside",
      [...passing, line({ e: "internal-error", m: "x\nKeyError: 1" }), finish(2)],
      0,
      "the runner broke: KeyError: 1",
    ],
  ])("%s: it is not complete", (_, lines, exitCode, reason) => {
    const report = reportFromEvents(lines, exitCode);
    expect(report.complete).toBe(false);
    expect(report.contradictions).toContain(reason);
  });

  it.each([
    [
      "exit 0 with failures",
      [start, collected(1), ...test("a", "failed"), finish(1, { exit: 1 })],
      0,
      "the runner exited with 0 although 1 failed",
    ],
    [
      "another exit than it said",
      [...passing, finish(2, { exit: 1 })],
      0,
      "the runner said it would exit with 1, and exited with 0",
    ],
    [
      "exit 1 without a failure",
      [...passing, finish(2)],
      1,
      "the runner exited with 1 although nothing failed",
    ],
    ["a signal", [...passing, finish(2)], null, "the runner did not exit by itself"],
    [
      "a pass that never began",
      [...passing, result("forged", "passed"), finish(3)],
      0,
      "forged passed without having begun",
    ],
    ["a second end", [...passing, finish(2), finish(2)], 0, "the runner finished twice"],
    [
      "results after the end",
      [...passing, finish(2), ...test("late", "passed")],
      0,
      "a begin event came after the runner had finished",
    ],
    [
      "a second beginning",
      [start, ...passing, finish(2)],
      0,
      "a recording was begun twice by one process",
    ],
    [
      "a stranger's events",
      [...passing, line({ e: "result", pid: 8, id: "x", o: "passed", s: 0 }), finish(2)],
      0,
      "a result event came from a process that had begun no recording",
    ],
    [
      "lines that are no events",
      [...passing, "{", '{"e":"result"}', finish(2)],
      0,
      "2 lines are no events",
    ],
  ])("has %s", (_, lines, exitCode, reason) => {
    expect(reportFromEvents(lines, exitCode).contradictions).toContain(reason);
  });

  it("never throws, and never is a clean report with fewer results than it claims, whatever is dropped from a stream", () => {
    const whole = [
      start,
      collected(4),
      ...["a", "b", "c", "d"].flatMap((id) => test(id, "passed")),
      finish(4, { exit: 0 }),
    ];
    expect(reportFromEvents(whole, 0).contradictions).toEqual([]);
    fc.assert(
      fc.property(fc.subarray(whole), (part) => {
        const report = reportFromEvents(part, 0);
        const believed = report.complete && report.contradictions.length === 0;
        expect(!believed || report.counts.passed === 4).toBe(true);
      }),
    );
  });

  it("is bounded in what it says, and survives any text", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json()), { maxLength: 50 }), (lines) => {
        const report = reportFromEvents(lines, 0);
        expect(report.contradictions.length).toBeLessThanOrEqual(20);
        expect(report.complete).toBe(false);
      }),
    );
  });
});
