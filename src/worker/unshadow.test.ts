import { expect, test } from "vitest";

import { installedFromNames, replacements, shadowsSeen, strayModules } from "./unshadow.ts";

const files = (...paths: readonly string[]) => ({
  files: paths.map((path) => ({ path, sizeBytes: 1, testFunctions: 0 })),
});

test("a tree path below src gives way to what is installed without it", () => {
  const installed = files("p/__init__.py", "m.py");
  expect(replacements(["src/p", "m.py", "gone", "../x", "/y"], installed)).toEqual([
    { tree: "src/p", site: "p" },
    { tree: "m.py", site: "m.py" },
  ]);
});

test("what packaging forgot goes, tests and what is beside them stay", () => {
  const installed = { ...files("p/__init__.py", "p/a.py"), topLevel: ["p"] };
  const tree = files(
    "p/__init__.py",
    "p/a.py",
    "p/core/__init__.py",
    "p/core/x.py",
    "p/data.json",
    "p/tests/__init__.py",
    "p/tests/helper.py",
    "p/tests/test_a.py",
    "tests/test_b.py",
  );
  expect(strayModules(tree, ["p/__init__.py", "p/a.py"], installed)).toEqual([
    "p/core/__init__.py",
    "p/core/x.py",
  ]);
  const beside = files("p/__init__.py", "p/util.py", "p/test_a.py");
  expect(strayModules(beside, ["p/__init__.py"], installed)).toEqual([]);
});

test("a module that was imported from the tree, and not put there, is seen", () => {
  const imported = {
    p: ["/job/src/x/src/p/__init__.py", "/job/venv/lib/python3.13/site-packages/p/__init__.py"],
    m: ["/job/src/x/m.py"],
  };
  expect(shadowsSeen(imported, "/job/src/x", new Set(["m.py"]))).toEqual(["src/p"]);
});

test("metadata directories name what is installed", () => {
  expect(
    installedFromNames(
      "attrs-25.3.0.dist-info\nattr\nzope.interface-8.7-py3.11.egg-info\n_x.pth\n",
    ),
  ).toEqual(["attrs==25.3.0", "zope.interface==8.7"]);
});
