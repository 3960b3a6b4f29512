import { expect, test } from "vitest";

import { CreameryError } from "../base/errors.ts";
import {
  compareConfigurations,
  isAskedFor,
  isConfigurationName,
  parseConfigurations,
} from "./configuration-name.ts";

const choice = {
  known: [
    "cpython-2.7",
    "cpython-3.9",
    "cpython-3.11",
    "cpython-3.13",
    "cpython-3.15",
    "pypy-3.11",
  ],
  priority: ["cpython-3.15", "cpython-3.13", "pypy-3.11"],
};

test.each([
  ["all", choice.known],
  ["priority", choice.priority],
  ["cpython-3.13,pypy-3.11", ["cpython-3.13", "pypy-3.11"]],
  [
    " cpython-3.9 , priority,cpython-3.15",
    ["cpython-3.9", "cpython-3.15", "cpython-3.13", "pypy-3.11"],
  ],
])("--on %s", (text, names) => expect(parseConfigurations(text, choice)).toEqual(names));

test.each([
  ["cpython-3.31", "cpython-3.13"],
  ["cpyton-3.13", "cpython-3.13"],
  ["3.13", "cpython-3.13"],
  ["py39", "cpython-3.9"],
  ["pypy3.11", "pypy-3.11"],
  ["priorty", "priority"],
])("a misspelt %s suggests %s", (text, near) => {
  const line = lineOf(() => parseConfigurations(text, choice));
  expect(line).toContain(`${text}: no such configuration; did you mean ${near}?`);
  expect(line).not.toContain("\n");
});

function lineOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof CreameryError && thrown.code === "unknown-configuration")
      return thrown.line;
  }
  return "nothing was thrown\n";
}

test("an empty list is bad usage", () =>
  expect(() => parseConfigurations(" , ", choice)).toThrow("names no configuration"));

test("names have one form", () => {
  expect(
    ["cpython-3.13", "cpython-3.14t", "jython-2.7", "cpython-3", "cpython-3.13\n"].map(
      isConfigurationName,
    ),
  ).toEqual([true, true, false, false, false]);
});

test("configurations are ordered by implementation and by version as numbers", () => {
  const names = ["pypy-3.11", "cpython-3.13", "cpython-3.9", "cpython-3.10", "cpython-2.7"];
  expect(names.toSorted(compareConfigurations)).toEqual([
    "cpython-2.7",
    "cpython-3.9",
    "cpython-3.10",
    "cpython-3.13",
    "pypy-3.11",
  ]);
});

test.each([
  ["cpython-2.7", "all", false],
  ["cpython-2.7", "all, cpython-2.7", true],
  ["cpython-3.13", "priority", true],
  ["cpython-2.7", "priority", false],
])("%s of --on %s is asked for by more than `all`: %s", (name, text, asked) => {
  expect(isAskedFor(name, text, choice)).toBe(asked);
});
