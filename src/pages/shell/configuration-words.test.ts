import { expect, test } from "vitest";

import { configurationParts, configurationWords } from "./configuration-words.ts";

test("a configuration is called as people call it", () => {
  expect(
    ["cpython-3.13", "pypy-3.11", "cpython-2.7", "cpython-3.14t"].map(configurationWords),
  ).toEqual(["CPython 3.13", "PyPy 3.11", "CPython 2.7", "CPython 3.14 free-threaded"]);
});

test("what has no such form is shown as it is, bounded and printable", () => {
  expect(configurationWords("graal\u202e-1")).toBe("graal\\u202e-1");
  expect(configurationWords("x".repeat(400)).length).toBeLessThanOrEqual(40);
  expect(configurationParts("unheard-of").implementation).toBeNull();
});

test("the head of a column says the same in two parts", () => {
  expect(configurationParts("cpython-3.14t")).toEqual({
    implementation: "CPython",
    version: "3.14t",
  });
});
