import { expect, test } from "vitest";

import { buildRequirements } from "./build-requires.ts";

test.each<[string, Readonly<Record<string, string>>, string[]]>([
  ["nothing that says it", {}, ["setuptools", "wheel"]],
  [
    "a pyproject.toml without a build system",
    { "pyproject.toml": "[tool.x]\n" },
    ["setuptools", "wheel"],
  ],
  [
    "requirements with all that they may have",
    {
      "pyproject.toml":
        '[build-system]\nrequires = ["Hatch_VCS[x]>=1 ; python_version > \'3\'", "hatchling", "hatchling<9"]\n',
    },
    ["hatch-vcs", "hatchling"],
  ],
  ["a backend of its own", { "pyproject.toml": "[build-system]\nrequires = []\n" }, []],
  [
    "setup.cfg besides",
    { "setup.cfg": "[options]\nsetup_requires =\n  cython>=3\n  pbr\n" },
    ["cython", "pbr", "setuptools", "wheel"],
  ],
  ["what can't be read", { "pyproject.toml": "[", "setup.cfg": "x" }, ["setuptools", "wheel"]],
  [
    "what is no requirement",
    { "pyproject.toml": '[build-system]\nrequires = ["@@", "flit_core"]\n' },
    ["flit-core"],
  ],
])("%s", (_what, texts, projects) => {
  expect(buildRequirements({ texts })).toEqual(projects);
});
