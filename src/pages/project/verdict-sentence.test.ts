import { describe, expect, test } from "vitest";

import type { Look } from "../shell/words.ts";
import type { MatrixRow } from "./matrix.ts";
import { verdictSentence, versionWords, type Standing } from "./verdict-sentence.ts";

const CAUSES: Readonly<Record<Look, string | null>> = {
  pass: null,
  fail: "test-failure",
  crash: "segfault",
  killed: "timeout",
  skip: "requires-python",
  error: "collection-error",
  farm: "agent-lost",
  waiting: null,
};

function standing(configuration: string, look: Look, change: Partial<Standing> = {}): Standing {
  return { configuration, look, cause: CAUSES[look], confidence: "confirmed", ...change };
}

/** @param looks `cpython-3.13: "pass"`. */
function row(version: string, looks: Readonly<Record<string, Look>>): MatrixRow {
  return {
    version,
    cells: new Map(
      Object.entries(looks).map(([configuration, look]) => [
        configuration,
        { attempt: `${version}-${configuration}`, look, causeKind: CAUSES[look], startedMs: 0 },
      ]),
    ),
  };
}

const say = (standings: readonly Standing[], older: readonly MatrixRow[] = []) =>
  verdictSentence("2.2", standings, older);
const main = (standings: readonly Standing[], older: readonly MatrixRow[] = []) =>
  say(standings, older).main;

const PASSES = ["cpython-3.12", "cpython-3.13", "cpython-3.14"].map((name) =>
  standing(name, "pass"),
);

describe("where nothing fails", () => {
  test("it passes everywhere, or where it was tested", () => {
    expect(main(PASSES)).toBe("Passes everywhere: on all 3 configurations.");
    expect(main(PASSES.slice(0, 2))).toBe("Passes everywhere: on both configurations.");
    expect(main(PASSES.slice(0, 1))).toBe("Passes on CPython 3.12.");
  });

  test("what was skipped is told apart, by its reason", () => {
    const skipped = [standing("cpython-3.8", "skip"), standing("cpython-3.9", "skip")];
    expect(say([...skipped, ...PASSES])).toEqual({
      main: "Passes everywhere: on all 3 configurations.",
      notes: ["Skipped on CPython 3.8 and 3.9: it does not claim to support this Python version."],
    });
    expect(say(skipped)).toEqual({
      main: "Skipped everywhere: it does not claim to support this Python version.",
      notes: [],
    });
    expect(say([...skipped, standing("pypy-3.11", "skip", { cause: "no-tests" })]).main).toBe(
      "Skipped everywhere.",
    );
  });
});

describe("where a few fail", () => {
  const failing = [...PASSES, standing("pypy-3.11", "fail")];

  test("they are named, with the release since which they do", () => {
    const older = [
      row("2.1", { "pypy-3.11": "fail" }),
      row("2.0", { "pypy-3.11": "pass" }),
      row("1.9", { "pypy-3.11": "fail" }),
    ];
    expect(main(failing, older)).toBe(
      "Passes everywhere but PyPy 3.11, where it has failed since 2.1.",
    );
  });

  test("what is new is said to be, with the release that passed", () => {
    expect(main(failing, [row("2.1", { "pypy-3.11": "pass" })])).toBe(
      "Passes everywhere but PyPy 3.11, where it newly fails (2.1 passed).",
    );
  });

  test("what nobody ever saw passing has no known beginning", () => {
    expect(main(failing)).toBe("Passes everywhere but PyPy 3.11, where it fails.");
    expect(main(failing, [row("2.1", { "pypy-3.11": "crash" })])).toBe(
      "Passes everywhere but PyPy 3.11, where it has failed since 2.1 or before.",
    );
  });

  test("what the farm failed at in between, was skipped or not tested ends no run of failures", () => {
    const older = [
      row("2.1", { "pypy-3.11": "farm" }),
      row("2.0", { "pypy-3.11": "fail" }),
      row("1.9", {}),
      row("1.8", { "pypy-3.11": "skip" }),
      row("1.7", { "pypy-3.11": "fail" }),
      row("1.6", { "pypy-3.11": "pass" }),
    ];
    expect(main(failing, older)).toContain("has failed since 1.7.");
  });

  test("those that do the same since the same release are told together, others apart", () => {
    const standings = [
      ...PASSES,
      standing("cpython-3.15", "crash"),
      standing("pypy-3.10", "fail"),
      standing("pypy-3.11", "fail"),
    ];
    const older = [
      row("2.1", { "cpython-3.15": "pass", "pypy-3.10": "fail", "pypy-3.11": "fail" }),
      row("2.0", { "pypy-3.10": "pass", "pypy-3.11": "pass" }),
    ];
    expect(main(standings, older)).toBe(
      "Passes everywhere but CPython 3.15, where it newly crashes (2.1 passed); and PyPy 3.10 and 3.11, where it has failed since 2.1.",
    );
  });
});

describe("where most fail", () => {
  test("both sides are named", () => {
    expect(
      main([
        standing("cpython-3.12", "pass"),
        standing("cpython-3.13", "fail"),
        standing("cpython-3.14", "fail"),
        standing("pypy-3.11", "killed"),
      ]),
    ).toBe(
      "Fails on 3 of 4 configurations: CPython 3.13, 3.14 and PyPy 3.11; passes on CPython 3.12.",
    );
  });

  test("or it fails everywhere, since when that began", () => {
    const bad = ["cpython-3.12", "cpython-3.13"].map((name) => standing(name, "fail"));
    const all = (look: Look) => ({ "cpython-3.12": look, "cpython-3.13": look });
    expect(main(bad)).toBe("Fails everywhere.");
    expect(main(bad, [row("2.1", all("pass"))])).toBe("Newly fails everywhere (2.1 passed).");
    expect(main(bad, [row("2.1", all("fail")), row("2.0", all("pass"))])).toBe(
      "Fails everywhere since 2.1.",
    );
    expect(main(bad.slice(0, 1))).toBe("Fails on CPython 3.12.");
    expect(main([...bad, standing("pypy-3.11", "crash")])).toBe(
      "Passes nowhere: fails on CPython 3.12 and 3.13; crashes on PyPy 3.11.",
    );
  });

  test("of very many the first few are named", () => {
    const bad = Array.from({ length: 12 }, (_, minor) => standing(`cpython-3.${minor}`, "fail"));
    expect(main([...bad, standing("pypy-3.11", "pass")])).toContain(
      "CPython 3.0, 3.1, 3.2, 3.3, 3.4, 3.5 and 6 more; passes on PyPy 3.11.",
    );
  });
});

describe("what is not sure", () => {
  test("what only the farm failed at is no failure, and is owed", () => {
    expect(say([...PASSES, standing("pypy-3.11", "farm")])).toEqual({
      main: "Passes on CPython 3.12, 3.13 and 3.14.",
      notes: ["No verdict yet on PyPy 3.11, where the farm failed and not the package."],
    });
    expect(say([standing("pypy-3.11", "farm")])).toEqual({
      main: "No verdict yet: the farm failed, not the package.",
      notes: [],
    });
    expect(main([])).toBe("It was not tested yet.");
  });

  test("flaky ones are neither passes nor failures", () => {
    const flaky = standing("pypy-3.11", "fail", { confidence: "flaky" });
    expect(say([...PASSES, flaky])).toEqual({
      main: "Passes on CPython 3.12, 3.13 and 3.14.",
      notes: ["Flaky on PyPy 3.11: it did not pass, and the same did not fail again."],
    });
    expect(main([flaky])).toBe("Flaky wherever it was tested.");
  });

  test("failures that no second run confirmed are said to be so; passes need none", () => {
    const first = standing("pypy-3.11", "fail", { confidence: "unconfirmed" });
    const unsure = PASSES.map((one) => ({ ...one, confidence: "unconfirmed" as const }));
    expect(say([...unsure, first]).notes).toEqual(["No second run has confirmed that yet."]);
    expect(say([...PASSES, first, standing("pypy-3.10", "fail")]).notes).toEqual([
      "No second run has confirmed that yet on PyPy 3.11.",
    ]);
  });
});

test("versions are shown bounded and printable, commits by their beginning", () => {
  expect(versionWords("a".repeat(40))).toBe("aaaaaaaaaaaa");
  expect(versionWords("1.0\u202e")).toBe("1.0\\u202e");
  expect(versionWords("x".repeat(300)).length).toBe(60);
});
