import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { aptPreferences, aptSources, parseDefinition, wantedPackages } from "./definition.ts";

const PATH = fileURLToPath(new URL("../../images/linux-x86_64/image.toml", import.meta.url));
const TEXT = await readFile(PATH, "utf8");

test("the farm's own definition has all interpreters, and takes only what it names from a suite below zero", () => {
  const definition = parseDefinition(TEXT, PATH);
  expect(
    definition.interpreters.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b)),
  ).toEqual([
    "cpython-2.7",
    "cpython-3.11",
    "cpython-3.13",
    "cpython-3.14",
    "cpython-3.15",
    "cpython-3.9",
    "pypy-3.11",
  ]);
  expect(aptPreferences(definition)).toContain(
    "Package: src:python3.14 src:python3.15 src:glibc\nPin: release n=sid\nPin-Priority: 990\n",
  );
  expect(aptPreferences(definition)).toContain(
    "Package: *\nPin: release n=sid\nPin-Priority: -1\n",
  );
  expect(new Set(wantedPackages(definition)).size).toBe(wantedPackages(definition).length);
});

test("an old Release file is accepted only where the definition says so, and signatures are always checked", () => {
  const lines = aptSources(
    parseDefinition(TEXT, PATH),
    "https://mirror.example/debian",
    "/keys.gpg",
  )
    .trim()
    .split("\n");
  expect(lines.every((line) => line.includes("signed-by=/keys.gpg"))).toBe(true);
  expect(
    lines
      .filter((line) => line.includes("check-valid-until=no"))
      .map((line) => line.split(" ").at(-2)),
  ).toEqual(["sid"]);
});

test.each([
  ["an unknown key", "schema = 1", 'schema = 1\ncolour = "red"', /colour/u],
  [
    "a version of another form",
    'version = "2026.11.1"',
    'version = "latest"',
    /version: .*2026\.11\.1/u,
  ],
  [
    "a tool without a whole hash",
    /sha256 = \["d7f4[0-9a-f]*"\]/u,
    'sha256 = ["d7f4"]',
    /tools\.0\.sha256\.0/u,
  ],
  [
    "an executable outside /usr/bin",
    'executable = "/usr/bin/python2.7"',
    'executable = "/tmp/python"',
    /interpreters\.0\.executable/u,
  ],
  ["a package that is an option", '"ca-certificates"', '"--force-yes"', /packages\.base/u],
  [
    "a suite for unpacking that is none",
    "python3-lib2to3/bullseye",
    "python3-lib2to3",
    /unpacked/u,
  ],
  ["no TOML", "[packages]", "[packages", /line \d+: not TOML/u],
])("%s is refused, naming the key", (_, from, to, message) => {
  const planted = TEXT.replace(from, to);
  expect(planted).not.toBe(TEXT);
  expect(() => parseDefinition(planted, PATH)).toThrow(message);
});
