import { describe, expect, test } from "vitest";

import { CAUSE_KINDS, OUTCOMES, PHASES, type Confidence, type Outcome } from "./attempt.ts";
import { causeGroup } from "./result-words.ts";
import { settle, weightOf, type Cell, type NewResult } from "./settle-verdict.ts";

const CONFIRMED: Confidence = { kind: "confirmed", agreed: 2, runs: 2 };
const UNCONFIRMED: Confidence = { kind: "unconfirmed" };
const NEW: Cell = { settled: null, pending: null };

let serial = 0;
function result(change: Partial<NewResult> = {}): NewResult {
  return {
    attempt: `a${String(++serial).padStart(6, "0")}`,
    version: "1.0",
    source: "release",
    reason: "release",
    phase: "test",
    outcome: "fail",
    cause: { kind: "test-failure" },
    confidence: CONFIRMED,
    ...change,
  };
}
const pass = (change: Partial<NewResult> = {}): NewResult =>
  result({ outcome: "pass", cause: null, confidence: UNCONFIRMED, ...change });
const build = (change: Partial<NewResult> = {}): NewResult =>
  result({
    phase: "build",
    cause: { kind: "build-backend", detail: "hatchling" },
    confidence: UNCONFIRMED,
    ...change,
  });

/** What of a row of results was a change, each by its kind or null. */
function changes(...results: readonly NewResult[]): (string | null)[] {
  let cell = NEW;
  return results.map((one) => {
    const settled = settle(cell, one);
    cell = settled.cell;
    return settled.change?.kind ?? null;
  });
}

describe("what is a change", () => {
  test("from good to bad, from bad to good, from bad to another bad; never the first, never the same again", () => {
    expect(changes(pass(), pass(), result(), result(), pass(), pass())).toEqual([
      null,
      null,
      "broke",
      null,
      "fixed",
      null,
    ]);
    expect(changes(result(), result(), pass())).toEqual([null, null, "fixed"]);
    expect(
      changes(
        result(),
        result({ cause: { kind: "syntax" } }),
        result({ cause: { kind: "syntax" } }),
        result({ outcome: "crash", cause: { kind: "segfault" } }),
      ),
    ).toEqual([null, "changed", null, "changed"]);
  });

  test("another detail is another cause, and another outcome is another end", () => {
    const of = (detail: string) => result({ cause: { kind: "dependency-build", detail } });
    expect(changes(of("cffi"), of("cffi"), of("lxml"))).toEqual([null, null, "changed"]);
    const syntax = { kind: "syntax" } as const;
    expect(changes(result({ cause: syntax }), result({ outcome: "error", cause: syntax }))).toEqual(
      [null, "changed"],
    );
  });

  test("each pair of outcomes is what its standings say, and a skip is nothing", () => {
    for (const before of OUTCOMES)
      for (const now of OUTCOMES) {
        const of = (outcome: Outcome) => (outcome === "pass" ? pass() : result({ outcome }));
        const expected =
          before === "skip" || now === "skip" || before === now
            ? null
            : before === "pass"
              ? "broke"
              : now === "pass"
                ? "fixed"
                : "changed";
        expect([before, now, changes(of(before), of(now))[1]]).toEqual([before, now, expected]);
      }
  });

  test("names the result that it is held against", () => {
    const first = pass({ version: "1.0" });
    const { cell } = settle(NEW, first);
    const { change } = settle(cell, result({ version: "1.1" }));
    expect(change).toEqual({
      kind: "broke",
      before: { attempt: first.attempt, version: "1.0", outcome: "pass", cause: null },
    });
  });
});

describe("what settles nothing", () => {
  test.each(["confirm", "experiment", "blame", "reproduce"])(
    "a run that was made to %s",
    (reason) => {
      expect(changes(pass(), result({ reason }), result({ reason }))).toEqual([null, null, null]);
      expect(weightOf(pass({ reason }))).toBe("nothing");
    },
  );

  test.each(["release", "push", "retest", "manual", "canary"])(
    "but one for a %s does",
    (reason) => {
      expect(changes(pass({ reason }), result({ reason }))).toEqual([null, "broke"]);
    },
  );

  test.each(["tree", "sdist", "wheel"] as const)("a %s that was given by hand", (source) => {
    expect(changes(pass({ source }), result({ source }))).toEqual([null, null]);
    expect(changes(pass(), result({ source }))).toEqual([null, null]);
  });

  test("whatever the farm did wrong, has to explain or did not look for", () => {
    for (const kind of Object.values(CAUSE_KINDS).flat()) {
      const isNone =
        causeGroup(kind) === "farm" || kind === "machine-difference" || kind === "smoke-only";
      expect([kind, changes(pass(), result({ cause: { kind } }))[1]]).toEqual([
        kind,
        isNone ? null : "broke",
      ]);
    }
  });

  test("a failure of tests that did not repeat, or that nobody could run twice", () => {
    for (const confidence of [
      UNCONFIRMED,
      { kind: "flaky" },
      { kind: "confirmed", agreed: 2, runs: 3 },
      { kind: "confirmed", agreed: 1, runs: 1 },
    ] satisfies Confidence[])
      expect(changes(pass(), result({ confidence }), result({ confidence }))).toEqual([
        null,
        null,
        null,
      ]);
    for (const confidence of [
      CONFIRMED,
      { kind: "confirmed", agreed: 3, runs: 3 },
      { kind: "inferred" },
    ] satisfies Confidence[])
      expect(changes(pass(), result({ confidence }))).toEqual([null, "broke"]);
  });

  test("and it takes nothing of what had settled: what comes after is held against that", () => {
    const flaky = () => result({ confidence: { kind: "flaky" } });
    const skipped = () => result({ outcome: "skip", cause: { kind: "no-tests" } });
    expect(changes(pass(), flaky(), skipped(), pass())).toEqual([null, null, null, null]);
    expect(changes(pass(), flaky(), skipped(), result())).toEqual([null, null, null, "broke"]);
  });
});

describe("what nothing confirms", () => {
  test("settles once a second attempt says the same", () => {
    expect(changes(pass(), build(), build(), build())).toEqual([null, null, "broke", null]);
    // The first that settles is no change here either.
    expect(changes(build(), build(), pass())).toEqual([null, null, "fixed"]);
  });

  test("is every phase but that of the tests, and there what ends for want of memory or processes", () => {
    for (const phase of PHASES) {
      const one = () => result({ phase, confidence: UNCONFIRMED });
      expect([phase, changes(pass(), one(), one())[2]]).toEqual([
        phase,
        phase === "test" ? null : "broke",
      ]);
    }
    const oom = () =>
      result({ outcome: "killed", cause: { kind: "oom" }, confidence: UNCONFIRMED });
    expect(changes(pass(), oom(), oom())).toEqual([null, null, "broke"]);
  });

  test("waits for the same outcome, kind of cause and release, and for another attempt", () => {
    const other = () => build({ cause: { kind: "compiler" } });
    expect(changes(pass(), build(), other(), build(), build())).toEqual([
      null,
      null,
      null,
      null,
      "broke",
    ]);
    const flit = () => build({ cause: { kind: "build-backend", detail: "flit" } });
    expect(changes(pass(), build(), flit())[2]).toBe("broke");
    expect(changes(pass(), build(), build({ outcome: "error" }))[2]).toBeNull();
    expect(changes(pass(), build(), build({ version: "1.1" }))[2]).toBeNull();
    const [first, one] = [pass(), build()];
    expect(changes(first, one, one)[2]).toBeNull();
  });

  test("begins anew where it passed in between, and never settles where it is flaky", () => {
    expect(changes(pass(), build(), pass(), build(), build())).toEqual([
      null,
      null,
      null,
      null,
      "broke",
    ]);
    const flaky = () => build({ confidence: { kind: "flaky" } });
    expect(changes(pass(), build(), flaky(), flaky())).toEqual([null, null, null, null]);
  });

  test("of a newer release goes on waiting while an older one passes again", () => {
    const newer = () => build({ version: "1.1" });
    expect(changes(pass(), newer(), pass(), newer())).toEqual([null, null, null, "broke"]);
    // And is not put off by an older one that fails.
    expect(changes(pass(), newer(), build(), newer())).toEqual([null, null, null, "broke"]);
  });

  test("is taken at once where something confirms it", () => {
    expect(changes(pass(), build({ confidence: CONFIRMED }))).toEqual([null, "broke"]);
  });
});

describe("of releases", () => {
  test("an older one than that which settled last changes nothing; the same and a newer one do", () => {
    const settled = pass({ version: "1.10" });
    for (const [version, expected] of [
      ["1.9", null],
      ["1.10.dev1", null],
      ["1.10.0", "broke"],
      ["1.10.post1", "broke"],
      ["2.0", "broke"],
      ["1!0.1", "broke"],
    ] as const)
      expect([version, changes(settled, result({ version }))[1]]).toEqual([version, expected]);
  });

  test("a final one comes after every pre-release, as people get them", () => {
    expect(changes(pass({ version: "1.9" }), result({ version: "2.0rc1" }))).toEqual([null, null]);
    expect(changes(pass({ version: "2.0rc1" }), result({ version: "1.9" }))).toEqual([
      null,
      "broke",
    ]);
    const [one, two] = [pass({ version: "2.0rc1" }), result({ version: "2.0rc2" })];
    expect(changes(one, two)).toEqual([null, "broke"]);
  });

  test("what is no version comes before all that are, and of two of them the one that was begun later", () => {
    expect(changes(pass(), result({ version: "nightly" }))).toEqual([null, null]);
    expect(changes(pass({ version: "nightly" }), result())).toEqual([null, "broke"]);
    expect(changes(pass({ version: "b" }), result({ version: "a" }))).toEqual([null, "broke"]);
  });

  test("an attempt that was begun earlier and comes late changes nothing; of a newer release it does", () => {
    const [early, newer] = [result(), result({ version: "1.1" })];
    expect(changes(pass(), early)).toEqual([null, null]);
    expect(changes(pass(), newer)).toEqual([null, "broke"]);
  });
});

test("of a repository the time alone counts: its versions may go down", () => {
  const of = (version: string) => ({ source: "repository", version }) as const;
  expect(changes(pass(of("2.0")), result(of("1.0")), pass(of("")))).toEqual([
    null,
    "broke",
    "fixed",
  ]);
  const early = result(of("3.0"));
  expect(changes(pass(of("2.0")), early)).toEqual([null, null]);
});
