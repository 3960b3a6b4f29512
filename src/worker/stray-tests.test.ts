import { expect, test } from "vitest";

import { sampleReport } from "../model/evidence.sample.ts";
import { strayTests, type StrayTest } from "./stray-tests.ts";

const treeRoot = "/job/src/mine-1.0";
const listing = (...paths: readonly string[]) => ({
  files: paths.map((path) => ({ path, sizeBytes: 1, testFunctions: 0 })),
  truncated: false,
});
const STRAY = listing("mine.py", "tests/test_utils.py");

const pytestError = (file: string, statement: string, error: string) =>
  `ImportError while importing test module '${treeRoot}/${file}'.\nTraceback:\n/usr/lib/python3.13/importlib/__init__.py:88: in import_module\n    return _bootstrap._gcd_import(name)\n${file}:1: in <module>\n    ${statement}\nE   ${error}`;
const unittestError = (file: string, statement: string, error: string) =>
  `ImportError: Failed to import test module: test_utils\nTraceback (most recent call last):\n  File "/usr/lib/python3.13/unittest/loader.py", line 396, in _find_test_path\n    module = self._get_module_from_name(name)\n  File "${treeRoot}/${file}", line 1, in <module>\n    ${statement}\n    ^^^^^^\n${error}\n\n`;

const FILE = "tests/test_utils.py";
const NO_PARENT = "ImportError: attempted relative import with no known parent package";
const noModule = (name: string) => `ModuleNotFoundError: No module named '${name}'`;
const relative = pytestError(FILE, "from .base import Case", NO_PARENT);

function strays(
  { files, truncated }: { readonly files: typeof STRAY.files; readonly truncated: boolean },
  ...messages: readonly string[]
): readonly StrayTest[] {
  const collectionErrors = messages.map((message, index) => ({ id: `m${index}`, message }));
  const report = { ...sampleReport([]), collectionErrors };
  return strayTests(report, { tree: { files, truncated }, treeRoot, topLevel: ["mine"] });
}

test.each([
  ["by pytest", relative, "tests/base"],
  ["by unittest", unittestError(FILE, "from .base import Case", NO_PARENT), "tests/base"],
  ["by a name alone", pytestError(FILE, "from . import base, more", NO_PARENT), "tests/base"],
  ["further up", pytestError(FILE, "from ..help.it import x", NO_PARENT), "help/it"],
  ["absolutely", pytestError(FILE, "import tests.base", noModule("tests.base")), "tests/base"],
])("a module imports what the source lacks beside it: %s", (_how, message, lacks) => {
  expect(strays(STRAY, message)).toEqual([{ path: FILE, lacks }]);
});

test.each([
  ["a module that is there and was not found", listing(FILE, "tests/base.py"), relative],
  ["a package that is there", listing(FILE, "tests/base/x.py"), relative],
  ["a distribution", STRAY, pytestError(FILE, "import yaml", noModule("yaml"))],
  [
    "a part of the release",
    listing("mine/a.py", FILE),
    pytestError(FILE, "import mine.b", noModule("mine.b")),
  ],
  [
    "something, from no file of the tree",
    STRAY,
    pytestError("tests/test_other.py", "from .base import Case", NO_PARENT),
  ],
  [
    "a part of a library that its directory is named for",
    listing("tests/integrations/packaging/test_it.py"),
    pytestError(
      "tests/integrations/packaging/test_it.py",
      "import packaging.legacy",
      noModule("packaging.legacy"),
    ),
  ],
  ["something that was perhaps not listed", { ...STRAY, truncated: true }, relative],
])("a module is no stray that lacks %s", (_what, tree, message) => {
  expect(strays(tree, message)).toEqual([]);
});

test("a stray is told apart from other errors beside it", () => {
  const other = pytestError(FILE, "1 / 0", "ZeroDivisionError: division by zero");
  expect(strays(STRAY, other, relative)).toHaveLength(1);
});
