import { expect, test } from "vitest";

import { dependenciesOf, MAX_DEPENDENCIES } from "./depends-on.ts";

const metadata = (...lines: readonly string[]): string =>
  ["Metadata-Version: 2.1", "Name: Mine", "Version: 1", ...lines, "", "Requires-Dist: body"].join(
    "\n",
  );

test("names are normalised and each is told once, the release itself left out", () => {
  expect(
    dependenciesOf(
      metadata(
        "Requires-Dist: Zope.Interface>=5",
        "Requires-Dist: zope_interface[test]",
        "Requires-Dist: mine[extra]",
      ),
      [],
    ),
  ).toEqual([{ name: "zope-interface", kind: "run" }]);
});

test.each([
  ["numpy; python_version >= '3.9'", "run"],
  ["enum34; python_version < '3.4'", "run"],
  ["tomli; python_full_version <= '3.11.0a6'", "run"],
  ["cffi; platform_python_implementation == 'PyPy'", "run"],
  ["pytest; extra == 'test'", "extra"],
  ["pytest; extra == 'test' and python_version > '3'", "extra"],
  ["colorama; sys_platform == 'win32'", null],
  ["pywin32; os_name == 'nt' and extra == 'test'", null],
  ["futures; python_version < '2'", null],
  ["ghost; extra == 'not-provided'", null],
])("%s is %s", (line, kind) => {
  const found = dependenciesOf(metadata("Provides-Extra: test", `Requires-Dist: ${line}`), []);
  expect(found[0]?.kind ?? null).toBe(kind);
});

test("what a plain install brings is no extra too, and what builds it is told beside", () => {
  expect(
    dependenciesOf(
      metadata(
        "Provides-Extra: all",
        "Requires-Dist: numpy",
        "Requires-Dist: numpy; extra == 'all'",
      ),
      ["hatchling>=1", "numpy", "not a requirement at all", "x; sys_platform == 'win32'"],
    ).toSorted((one, other) =>
      `${one.kind}${one.name}`.localeCompare(`${other.kind}${other.name}`),
    ),
  ).toEqual([
    { name: "hatchling", kind: "build" },
    { name: "numpy", kind: "build" },
    { name: "numpy", kind: "run" },
  ]);
});

test("a release that names thousands is cut", () => {
  const lines = Array.from({ length: 3000 }, (_, index) => `Requires-Dist: p${index}`);
  expect(dependenciesOf(metadata(...lines), [])).toHaveLength(MAX_DEPENDENCIES);
});
