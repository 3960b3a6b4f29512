import { expect, test } from "vitest";

import type { Cause, Outcome } from "./attempt.ts";
import { canonicalHash, type Axes } from "./axes.ts";
import { compare, type Comparable } from "./compare.ts";

const axes: Axes = {
  source: "a".repeat(64),
  interpreter: "cpython-3.13.5",
  builder: "debian",
  image: "2026.11.1+0f3a9c21",
  machine: "gvisor",
  indexDate: "2026-11-24T10:00:00Z",
  lock: "b".repeat(64),
  plan: "c".repeat(64),
  agent: "1",
};
const at = (outcome: Outcome, cause: Cause | null, change: Partial<Axes> = {}): Comparable => ({
  outcome,
  cause,
  axes: { ...axes, ...change },
});
const pass = at("pass", null);
const fails = at("fail", { kind: "test-failure" });

test.each<[Comparable | null, Comparable | null, string]>([
  [null, pass, "new"],
  [pass, null, "removed"],
  [pass, pass, "still-pass"],
  [pass, fails, "new-fail"],
  [fails, pass, "fixed"],
  [fails, fails, "still-fail"],
  [fails, at("fail", { kind: "needs-network" }), "changed-cause"],
  [
    at("fail", { kind: "removed-api", detail: "imp" }),
    at("fail", { kind: "removed-api", detail: "cgi" }),
    "changed-cause",
  ],
  [pass, at("skip", { kind: "no-tests" }), "incomparable"],
  [at("skip", { kind: "no-tests" }), pass, "incomparable"],
  [at("skip", { kind: "no-tests" }), at("skip", { kind: "requires-python" }), "changed-cause"],
  [pass, at("error", { kind: "agent-lost" }), "incomparable"],
  [at("fail", { kind: "machine-difference" }), pass, "incomparable"],
  [null, null, "incomparable"],
])("%# compares as %3$s", (old, current, comparison) =>
  expect(compare(old, current, [])).toBe(comparison),
);

test("what moved for another reason is incomparable, never a regression", () => {
  const moved = at("fail", { kind: "test-failure" }, { image: "2026.12.1+00000000" });
  expect(compare(pass, moved, [])).toBe("incomparable");
  expect(compare(pass, moved, ["source"])).toBe("incomparable");
  expect(compare(pass, moved, ["image"])).toBe("new-fail");
});

test("the index's date alone is no difference", () => {
  expect(
    compare(pass, at("fail", { kind: "test-failure" }, { indexDate: "2026-11-25T10:00:00Z" }), []),
  ).toBe("new-fail");
});

test("a plan's hash does not depend on the order of its fields", () => {
  expect(canonicalHash({ b: [1, { d: null, c: "x" }], a: undefined })).toBe(
    canonicalHash({ b: [1, { c: "x", d: null }] }),
  );
  expect(canonicalHash({ a: 1 })).not.toBe(canonicalHash({ a: "1" }));
});

test("another builder's interpreter of the same version is another interpreter", () => {
  const other = at("fail", { kind: "test-failure" }, { builder: "upstream" });
  expect(compare(pass, other, [])).toBe("incomparable");
  expect(compare(pass, other, ["builder"])).toBe("new-fail");
});
