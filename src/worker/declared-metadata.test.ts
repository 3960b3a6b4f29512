import { expect, test } from "vitest";

import { declaredMetadata } from "./declared-metadata.ts";

test("pyproject.toml says it first, an sdist's PKG-INFO and setup.cfg what it leaves open", () => {
  expect(
    declaredMetadata({
      texts: {
        "pyproject.toml": '[project]\nname = "Some.Thing"\ndynamic = ["version"]\n',
        "PKG-INFO": "Metadata-Version: 2.1\nName: other\nVersion: 1.2\n\n",
        "setup.cfg": "[metadata]\nname = third\n[options]\npython_requires = >=3.9\n",
      },
    }),
  ).toEqual({ project: "some-thing", version: "1.2", requiresPython: ">=3.9" });
});

test("code, nonsense and nothing are not taken for a word", () => {
  expect(
    declaredMetadata({
      texts: {
        "pyproject.toml": "[project\n",
        "setup.cfg": "[metadata]\nname = not a name!\nversion = attr: pkg.__version__\n",
      },
    }),
  ).toEqual({ project: null, version: null, requiresPython: null });
  expect(declaredMetadata({ texts: { "pyproject.toml": "project = 3" } }).project).toBeNull();
});
