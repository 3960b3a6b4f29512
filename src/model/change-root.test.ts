import { expect, test } from "vitest";

import { CAUSE_KINDS } from "./attempt.ts";
import { rootOf, type RootFacts } from "./change-root.ts";

const root = (change: Partial<RootFacts>): string =>
  rootOf({ project: "mine", cause: null, beforeCause: null, ...change });

test("the culprit that a cause names comes before what was new, and that before the project", () => {
  const why = "setuptools 82 is new";
  expect(root({ cause: { kind: "dependency-build", detail: "cffi" }, why })).toBe("cffi");
  expect(root({ cause: { kind: "removed-api", detail: "imp" }, why })).toBe("removed-api(imp)");
  expect(root({ cause: { kind: "build-backend", detail: "x" } })).toBe("build-backend(x)");
  expect(root({ cause: { kind: "test-failure" }, why })).toBe("setuptools 82");
  expect(root({ cause: { kind: "test-failure" } })).toBe("mine");
});

test("an image and an interpreter that were new are named as they are called; an age is no root", () => {
  const cause = { kind: "test-failure" } as const;
  expect(root({ cause, why: "image 2026.11.2 is new" })).toBe("image 2026.11.2");
  expect(root({ cause, why: "cpython 3.13.6 is new" })).toBe("cpython 3.13.6");
  for (const why of ["last tested on 2026-11-02", "never tested on cpython-3.15", "", " is new"])
    expect(root({ cause, why })).toBe("mine");
});

test("what was mended is grouped by what was new, else by the culprit that is gone", () => {
  const beforeCause = { kind: "dependency-import", detail: "numpy" } as const;
  expect(root({ beforeCause, why: "numpy 2.4.1 is new" })).toBe("numpy 2.4.1");
  expect(root({ beforeCause })).toBe("numpy");
  // Where it still fails, what it failed with before is over.
  expect(root({ beforeCause, cause: { kind: "syntax" } })).toBe("mine");
});

test("what a package, its surroundings or a limit is to blame for is the project's own, whatever its detail says", () => {
  for (const kind of [...CAUSE_KINDS.package, ...CAUSE_KINDS.environment, ...CAUSE_KINDS.limit])
    expect([kind, root({ cause: { kind, detail: "numpy" } })]).toEqual([kind, "mine"]);
  for (const kind of CAUSE_KINDS.dependency)
    expect([kind, root({ cause: { kind, detail: "numpy" } })]).toEqual([kind, "numpy"]);
});

test("a hostile name is one bounded line", () => {
  const detail = `a\n\u202e${"x".repeat(5000)}`;
  const shown = root({ cause: { kind: "dependency-build", detail } });
  expect(shown.length).toBeLessThanOrEqual(200);
  expect(shown).not.toMatch(/[\n\u202e]/u);
});
