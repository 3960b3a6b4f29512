import type { ComparedJson, ComparisonJson } from "./comparison-json.ts";

/** One row, for tests. */
export function sampleCompared(change: Partial<ComparedJson> = {}): ComparedJson {
  const side = (id: string): ComparedJson["a"] => ({
    configuration: "cpython-3.13",
    image: "2026.11.1+0f3a9c21",
    runs: [
      {
        id,
        phase: "test",
        outcome: id.startsWith("a") ? "pass" : "fail",
        cause: id.startsWith("a") ? null : "test-failure",
        confidence: "confirmed(2/2)",
        tests: null,
        used: [],
      },
    ],
  });
  return {
    project: "six",
    version: "1.0",
    source: { kind: "release", sha256: "a".repeat(64) },
    from: "auto",
    startedAt: "2026-11-24T09:00:00Z",
    verdict: "newly-broken",
    exercised: true,
    confidence: "confirmed(2/2)",
    why: ["test-failure, fail in test"],
    tests: { broken: ["tests/test_a.py::test_b"], fixed: [] },
    moved: [],
    farmFault: false,
    a: side("a1"),
    b: side("b1"),
    ...change,
  };
}

/** A whole comparison, for tests; its counts are those of its rows. */
export function sampleComparison(change: Partial<ComparisonJson> = {}): ComparisonJson {
  const compared = change.compared ?? [sampleCompared()];
  const count = (verdict: ComparedJson["verdict"]) =>
    compared.filter((one) => one.verdict === verdict).length;
  return {
    schema: 1,
    a: "setuptools==82.0.0",
    b: "setuptools==83.0.0",
    changes: "release",
    counts: {
      "newly-broken": count("newly-broken"),
      fixed: count("fixed"),
      "changed-failure": count("changed-failure"),
      unchanged: count("unchanged"),
      incomparable: count("incomparable"),
    },
    compared,
    left: 0,
    id: null,
    endedAt: "2026-11-24T09:30:00.000Z",
    changed: "setuptools",
    ...change,
  };
}
