import { expect, test } from "vitest";

import { formatCause } from "../result-words.ts";
import { importCause } from "./exception.ts";
import { innermostOwner } from "./traceback.ts";

const site = "/job/venv/lib/python3.13/site-packages";
const frame = (path: string) => `  File "${path}", line 3, in <module>\n    import x\n`;
const context = { topLevel: ["mine"], pythonVersion: "3.13.5", lacks: [] };

test.each([
  [
    "the release's own file",
    `${site}/mine/__init__.py`,
    "ModuleNotFoundError: No module named 'yaml'",
    "missing-dependency-declaration(yaml)",
  ],
  [
    "a test",
    "/job/src/tests/test_a.py",
    "ModuleNotFoundError: No module named 'yaml.nodes'",
    "missing-dependency-declaration(yaml)",
  ],
  [
    "a dependency",
    `${site}/other/core.py`,
    "ModuleNotFoundError: No module named 'yaml'",
    "dependency-import(other)",
  ],
  [
    "a dependency in its standard library",
    `${site}/other/core.py`,
    "SyntaxError: invalid syntax",
    "dependency-import(other)",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "ModuleNotFoundError: No module named 'mine._speed'",
    "import-error",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "ModuleNotFoundError: No module named 'imp'",
    "removed-api(imp)",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.13/collections/__init__.py)",
    "removed-api(collections.Mapping)",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "ImportError: cannot import name 'override' from 'typing' (/usr/lib/python3.11/typing.py)",
    "import-error",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "AttributeError: module 'inspect' has no attribute 'getargspec'. Did you mean: 'getargs'?",
    "removed-api(inspect.getargspec)",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "AttributeError: module 'ast' has no attribute 'Str'",
    "nothing",
  ],
  [
    "the release's own file",
    `${site}/mine/a.py`,
    "ImportError: libfoo.so.1: cannot open shared object file: No such file or directory",
    "missing-system-library(libfoo.so.1)",
  ],
  ["the release's own file", `${site}/mine/a.py`, "IndentationError: unexpected indent", "syntax"],
  ["the release's own file", `${site}/mine/a.py`, "ValueError: no", "nothing"],
])("in %s (%s), %s is %s", (_where, path, last, cause) => {
  const text = `Traceback (most recent call last):\n${frame(`${site}/_pytest/python.py`)}${frame(path)}${frame("/usr/lib/python3.13/importlib/__init__.py")}${last}\n`;
  const found = importCause(text, context);
  expect(found === null ? "nothing" : formatCause(found)).toBe(cause);
});

test("pytest's short frames are frames too", () => {
  expect(
    innermostOwner(
      `tests/test_a.py:1: in <module>\n    import mine\n${site}/dep/__init__.py:4: in <module>\nE   ImportError: x`,
      ["mine"],
    ),
  ).toEqual({
    kind: "dependency",
    name: "dep",
  });
});

test("the last exception of a chain counts", () => {
  const text = `${frame(`${site}/mine/a.py`)}ModuleNotFoundError: No module named 'yaml'\n\nDuring handling of the above exception, another exception occurred:\n\n${frame(`${site}/mine/a.py`)}ImportError: please install yaml\n`;
  expect(importCause(text, context)).toEqual({ kind: "import-error" });
});

test("what unittest wraps around a module that it could not import is not the cause", () => {
  const wrapped = (last: string) =>
    `${frame("/usr/lib/python3.13/unittest/loader.py")}ImportError: Failed to import test module: mine.test_a\nTraceback (most recent call last):\n${frame("/job/src/mine/test_a.py")}${last}\n\n`;
  const causeOfWrapped = (last: string) => {
    const cause = importCause(wrapped(last), context);
    return cause === null ? null : formatCause(cause);
  };
  expect(causeOfWrapped("AssertionError")).toBeNull();
  expect(causeOfWrapped("ModuleNotFoundError: No module named 'yaml'")).toBe(
    "missing-dependency-declaration(yaml)",
  );
});
