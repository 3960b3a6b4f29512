import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

import { sourced } from "./interpreters/api.ts";
import { aptPreferences, aptSources, parseDefinition, wantedPackages } from "./definition.ts";

const PATH = fileURLToPath(new URL("../../images/linux-x86_64/image.toml", import.meta.url));
const TEXT = await readFile(PATH, "utf8");

test("the farm's own definition has all interpreters, and takes only what it names from a suite below zero", () => {
  const definition = parseDefinition(TEXT, PATH);
  expect(
    definition.interpreters.map(({ name }) => name).toSorted((a, b) => a.localeCompare(b)),
  ).toEqual([
    "cpython-2.7",
    "cpython-3.10",
    "cpython-3.11",
    "cpython-3.12",
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
    /version = "2026\.11\.\d+"/u,
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
  [
    "a source that there is none of",
    'source = "maven"',
    'source = "conda"',
    /interpreters\.1?\d\.source: must be debian, archive, maven or uv/u,
  ],
  [
    "an optional interpreter of Debian's",
    'source = "debian"',
    'source = "debian"\noptional = true',
    /optional: one of Debian's packages can't be optional/u,
  ],
  [
    "a builder of Debian's packages that is not Debian",
    'builder = "debian"',
    'builder = "upstream"',
    /builder: Debian's packages are built by debian/u,
  ],
  [
    "another's build that is said to be Debian's",
    'builder = "other"',
    'builder = "debian"',
    /builder/u,
  ],
  [
    "an artifact without its classifier",
    ":3.12.1-1.5.10:linux-x86_64",
    ":3.12.1-1.5.10",
    /artifact: must be group:artifact:version:classifier/u,
  ],
  [
    "an artifact that is an option",
    '"org.bytedeco:cpython:3.12.1-1.5.10:linux-x86_64"',
    '"-Dx=org.bytedeco:cpython:3.12.1-1.5.10:linux-x86_64 -f"',
    /artifact/u,
  ],
  [
    "a tree that leads out of the archive",
    'tree = "org/bytedeco',
    'tree = "../bytedeco',
    /tree: must not lead out/u,
  ],
  ["a key of another source", 'source = "maven"', 'source = "maven"\nurl = "x"', /url/u],
  [
    "an interpreter that is there twice",
    'name = "cpython-3.12"',
    'name = "cpython-3.10"',
    /interpreters: one of them is there twice/u,
  ],
  ["no TOML", "[packages]", "[packages", /line \d+: not TOML/u],
])("%s is refused, naming the key", (_, from, to, message) => {
  const planted = TEXT.replace(from, to);
  expect(planted).not.toBe(TEXT);
  expect(() => parseDefinition(planted, PATH)).toThrow(message);
});

/** One entry in the place of 3.12's, with these lines of its source. */
function withEntry(...lines: readonly string[]): string {
  const [before = "", after = ""] = TEXT.split(
    /\[\[interpreters\]\]\nname = "cpython-3\.12"\n[^[]*\[[^[]*\n\n/u,
  );
  const entry = ["[[interpreters]]", 'name = "cpython-3.12"', "uv = true", ...lines, "", ""];
  return `${before}${entry.join("\n")}${after}`;
}

test("an interpreter of any source is one entry, and lies in a tree of its own unless it is Debian's", () => {
  const sha256 = `sha256 = "${"a".repeat(64)}"`;
  const sources = [
    [
      'source = "archive"',
      'builder = "upstream"',
      'url = "https://index.example/a.tar.gz"',
      sha256,
    ],
    ['source = "uv"', 'builder = "other"', 'version = "3.12.13"', "optional = true"],
    ['source = "maven"', 'builder = "other"', 'artifact = "a:b:1:c"', 'tree = "a/b"', sha256],
  ];
  const origins = sources.map((lines) => {
    const { interpreters } = parseDefinition(withEntry(...lines), PATH);
    const entry = interpreters.find(({ name }) => name === "cpython-3.12");
    if (entry === undefined) throw new Error("it is there");
    const { executable, library, origin, packages } = sourced(entry);
    expect({ executable, library, packages }).toEqual({
      executable: "/opt/creamery/interpreters/cpython-3.12/bin/python3.12",
      library: "/opt/creamery/interpreters/cpython-3.12/lib/python3.12",
      packages: [],
    });
    return origin;
  });
  expect(origins).toEqual([
    "archive https://index.example/a.tar.gz",
    "uv cpython-3.12.13",
    "maven a:b:1:c",
  ]);
});

test.each([
  [
    "an address of another scheme",
    ['source = "archive"', 'url = "file:///etc/passwd"'],
    /url: must be an http or https address/u,
  ],
  [
    "an address with a password",
    ['source = "archive"', 'url = "https://me:secret@index.example/a.tar.gz"'],
    /url: must hold no credentials/u,
  ],
  [
    "one in a scheme of capitals",
    ['source = "archive"', 'url = "HTTPS://me:secret@index.example/a.tar.gz"'],
    /url: must hold no credentials/u,
  ],
  [
    "a name without a password",
    ['source = "archive"', 'url = "https://me@index.example/a.tar.gz"'],
    /url: must hold no credentials/u,
  ],
  [
    "a space before an address",
    ['source = "archive"', 'url = " https://index.example/a.tar.gz"'],
    /url: must hold no spaces/u,
  ],
  [
    "a line end behind an address",
    ['source = "archive"', 'url = "https://index.example/a.tar.gz\\n"'],
    /url: must hold no spaces/u,
  ],
  ["half a version", ['source = "uv"', 'version = "3.12"'], /version: must be whole/u],
  [
    "the version of another name",
    ['source = "uv"', 'version = "3.11.9"'],
    /version: must be of the version that the name says/u,
  ],
])("%s is refused, naming the key", (_, lines, message) => {
  const text = withEntry(
    'builder = "other"',
    ...lines,
    ...(lines[0]?.includes("uv") ? [] : [`sha256 = "${"a".repeat(64)}"`]),
  );
  expect(() => parseDefinition(text, PATH)).toThrow(message);
});
