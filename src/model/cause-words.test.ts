import { expect, test } from "vitest";

import { ALL_CAUSE_KINDS } from "./result-words.ts";
import { causeWords } from "./cause-words.ts";

test("each cause of the closed list has a plain sentence of its own, with and without a name", () => {
  const said = ALL_CAUSE_KINDS.map((kind) => causeWords(kind).text);
  expect(new Set(said).size).toBe(ALL_CAUSE_KINDS.length);
  for (const kind of ALL_CAUSE_KINDS)
    for (const text of [causeWords(kind).text, causeWords(`${kind}(thing)`).text]) {
      expect(text).toMatch(/^[a-z].*[a-zA-Z]$/u);
      expect(text).not.toContain(kind.includes("-") ? kind : "()");
    }
});

test("what a cause names is said with it", () => {
  expect(causeWords("dependency-build(cffi)").text).toBe("the dependency cffi does not build");
  expect(causeWords("removed-api(imp)").text).toBe("it uses imp, which Python no longer has");
});

test("who must act is said, and what only some machines do is the farm's to explain", () => {
  const who = (cause: string) => causeWords(cause).who;
  expect(who("test-failure")).toBe("the package");
  expect(who("dependency-import(x)")).toBe("a dependency");
  expect([who("agent-lost"), who("machine-difference")]).toEqual(["the farm", "the farm"]);
});

test("what a package named is bounded and printable", () => {
  const { text } = causeWords(`missing-system-library(${"\u001b[31m".repeat(300)})`);
  expect(text.length).toBeLessThan(160);
  expect(text).not.toContain("\u001b");
});
