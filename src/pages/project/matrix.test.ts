import { describe, expect, test } from "vitest";

import type { CellRow } from "../../store/sql/matrix-queries.ts";
import { badEdges, beginnings, matrixOf, orderVersions } from "./matrix.ts";

const known = (...versions: readonly string[]) => versions.map((version, id) => ({ id, version }));

/** @param drawn a row of letters for each version, newest first: `p`ass, `f`ail, `c`rash, `?` the farm failed, `.` not tested. */
function drawn(...rows: readonly string[]) {
  const kinds = {
    p: ["pass", null],
    f: ["fail", "test-failure"],
    c: ["crash", "segfault"],
    "?": ["error", "agent-lost"],
  } as const;
  const cells = rows.flatMap((letters, versionId): CellRow[] =>
    letters.split("").flatMap((letter, column) => {
      if (letter !== "p" && letter !== "f" && letter !== "c" && letter !== "?") return [];
      const [outcome, causeKind] = kinds[letter];
      const configuration = `cpython-3.${column}`;
      return [
        {
          attempt: `${versionId}/${column}`,
          versionId,
          configuration,
          outcome,
          causeKind,
          startedMs: 0,
        },
      ];
    }),
  );
  return matrixOf(known(...rows.map((_, at) => String(rows.length - at))), cells);
}

test("releases are in the order of PEP 440, newest first, and pushes apart from them", () => {
  const commit = "c0ffee".padEnd(40, "0");
  const { releases, pushes } = orderVersions(known("1.10", commit, "1.9", "2.0rc1", "2.0", "what"));
  expect(releases.map(({ version }) => version)).toEqual(["2.0", "2.0rc1", "1.10", "1.9"]);
  expect(pushes.map(({ version }) => version)).toEqual([commit, "what"]);
});

test("columns are in the order of configurations, and a version of which nothing was tested has no row", () => {
  const cells = ["pypy-3.11", "cpython-3.9", "cpython-3.14t", "cpython-3.14", "cpython-3.10"].map(
    (configuration, at): CellRow => ({
      attempt: String(at),
      versionId: 1,
      configuration,
      outcome: "pass",
      causeKind: null,
      startedMs: 0,
    }),
  );
  const matrix = matrixOf(known("2.0", "1.0"), cells);
  expect(matrix.configurations).toEqual([
    "cpython-3.9",
    "cpython-3.10",
    "cpython-3.14",
    "cpython-3.14t",
    "pypy-3.11",
  ]);
  expect(matrix.rows.map(({ version }) => version)).toEqual(["1.0"]);
});

describe("a regression", () => {
  test("begins with the oldest bad one after a good one, in each column by itself", () => {
    const matrix = drawn("ff", "fp", "pp");
    expect(beginnings(matrix)).toEqual(
      new Map([
        ["1/0", "1"],
        ["0/1", "2"],
      ]),
    );
  });

  test("begins nowhere where it was never good, and once however often its verdict changes", () => {
    expect([...beginnings(drawn("f", "f"))]).toEqual([]);
    expect([...beginnings(drawn("f", "c", "f", "p"))]).toEqual([["2/0", "1"]]);
  });

  test("is looked for through what the farm failed at and what was not tested", () => {
    expect([...beginnings(drawn("f", "?", ".", "p"))]).toEqual([["0/0", "1"]]);
    expect([...beginnings(drawn("?", "p"))]).toEqual([]);
  });

  test("has an outline towards what is good", () => {
    const matrix = drawn("ppp", "pfp", "ff?");
    expect(badEdges(matrix, 1, 1)).toEqual({ left: true, right: true, above: true });
    expect(badEdges(matrix, 2, 1)).toEqual({ left: false, right: false, above: false });
  });
});
