import { execFileSync } from "node:child_process";
import { z } from "zod";
import { describe, expect, it } from "vitest";
import { parseWheelFilename } from "./distribution-filename.ts";
import { evaluateMarker, parseMarker } from "./markers.ts";
import { normaliseName } from "./names.ts";
import { parseRequirement } from "./requirements.ts";
import { parseSpecifierSet, satisfiesText } from "./specifiers.ts";
import { compareVersions, formatVersion, parseVersion } from "./versions.ts";
import { compatibleTags } from "./wheel-tags.ts";

/** What Python already defines is compared with the `packaging` library itself, on seeded random cases. */

const SEED = 20261124;
const CASES = 3000;

const ORACLE = `
import json, sys
from packaging.markers import Marker, UndefinedComparison
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version
from packaging import tags
def attempt(work):
    try: return work()
    except Exception: return None
def requirement(text):
    r = Requirement(text)
    return [canonicalize_name(r.name), sorted(r.extras), r.url, r.marker is not None, sorted(s.operator + s.version for s in r.specifier)]
def wheel(text):
    name, version, build, found = parse_wheel_filename(text)
    return [name, str(version), sorted(map(str, found))]
def marker(text):
    parsed = Marker(text)
    try: return bool(parsed.evaluate(given["environment"]))
    except UndefinedComparison: return "undefined"
def order(a, b):
    a, b = Version(a), Version(b)
    return (a > b) - (a < b)
given = json.load(sys.stdin)
platforms = given["platforms"]
json.dump({
  "names": [str(canonicalize_name(x)) for x in given["names"]],
  "versions": [attempt(lambda: str(Version(x))) for x in given["versions"]],
  "orders": [attempt(lambda: order(*x)) for x in given["orders"]],
  "specifiers": [attempt(lambda: SpecifierSet(s).contains(v, prereleases=True)) for v, s in given["specifiers"]],
  "requirements": [attempt(lambda: requirement(x)) for x in given["requirements"]],
  "markers": [attempt(lambda: marker(x)) for x in given["markers"]],
  "wheels": [attempt(lambda: wheel(x)) for x in given["wheels"]],
  "tags": [list(dict.fromkeys(map(str, [*tags.cpython_tags((3, m), abis=None if False else [f"cp3{m}"], platforms=platforms), *tags.compatible_tags((3, m), interpreter=f"cp3{m}", platforms=platforms)]))) for m in given["minors"]],
  "pypy": list(dict.fromkeys(map(str, [*tags.generic_tags("pp311", ["pypy311_pp73"], platforms), *tags.compatible_tags((3, 11), interpreter="pp311", platforms=platforms)]))),
}, sys.stdout)
`;

const answers = z.object({
  names: z.array(z.string()),
  versions: z.array(z.string().nullable()),
  orders: z.array(z.number().nullable()),
  specifiers: z.array(z.boolean().nullable()),
  requirements: z.array(
    z
      .tuple([
        z.string(),
        z.array(z.string()),
        z.string().nullable(),
        z.boolean(),
        z.array(z.string()),
      ])
      .nullable(),
  ),
  markers: z.array(z.union([z.boolean(), z.literal("undefined"), z.null()])),
  wheels: z.array(z.tuple([z.string(), z.string(), z.array(z.string())]).nullable()),
  tags: z.array(z.array(z.string())),
  pypy: z.array(z.string()),
});

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const random = seeded(SEED);
const pick = <Item>(items: readonly Item[], otherwise: Item): Item =>
  items[random(items.length)] ?? otherwise;
const many = <Item>(make: () => Item, count = CASES): Item[] => Array.from({ length: count }, make);

const number = (): string => pick(["0", "1", "2", "3", "9", "10", "00", "2026"], "0");
function version(): string {
  const epoch = pick(["", "", "", "", "1!"], "");
  const release = many(number, 1 + random(4)).join(".");
  const pre = pick(
    ["", "", "", "a", "b1", "rc2", ".alpha.1", "-beta", "c0", "_pre_3", "preview9"],
    "",
  );
  const post = pick(["", "", "", ".post1", "-2", "-r3", ".rev", "post0", ".post"], "");
  const dev = pick(["", "", "", ".dev0", "dev2", "-dev", ".DEV10"], "");
  const local = pick(["", "", "", "", "+abc", "+1.2", "+ubuntu-1", "+a_01.b"], "");
  const noise = pick(["", "", "", "", "", "", "", "v", " ", "x", "1..", "!"], "");
  return `${noise}${epoch}${release}${pre}${post}${dev}${local}`;
}
function plain(): string {
  return `${many(number, 1 + random(3)).join(".")}${pick(["", "", "", "a1", "rc1", ".post1", ".dev2"], "")}`;
}
function clause(): string {
  const operator = pick(["==", "!=", "<=", ">=", "<", ">", "~=", "===", "=", ""], "==");
  return `${operator}${pick(["", " "], "")}${random(3) === 0 ? version() : plain()}${random(6) === 0 ? ".*" : ""}`;
}
const clauses = (): string => many(clause, random(3)).join(pick([",", " , ", ","], ","));
const name = (): string =>
  pick(
    ["a", "Foo.Bar", "x__y--z", "zope.interface", "A1", "-bad", "bad-", "ruamel.yaml.clib"],
    "a",
  );
function marker(depth = 0): string {
  if (depth < 3 && random(3) === 0)
    return `(${marker(depth + 1)}) ${pick(["and", "or"], "or")} ${marker(depth + 1)}`;
  if (depth < 3 && random(3) === 0)
    return `${marker(depth + 1)} ${pick(["and", "or"], "or")} ${marker(depth + 1)}`;
  const quote = pick(["'", '"'], "'");
  const quoted = (text: string): string => `${quote}${text}${quote}`;
  const variable = pick(
    [
      "python_version",
      "python_full_version",
      "os_name",
      "sys_platform",
      "platform_machine",
      "implementation_name",
      "extra",
      "implementation_version",
      "os.name",
      "nonsense",
      "platform_python_implementation",
    ],
    "os_name",
  );
  const value = pick(
    [
      "3.11",
      "3.9",
      "3.11.*",
      "3",
      "2.7, 3.11",
      "posix",
      "linux",
      "win32",
      "CPython",
      "cpython",
      "Foo_Bar",
      "foo-bar",
      "",
      "3.12.0b1",
    ],
    "",
  );
  const operator = pick(
    ["==", "!=", "<", ">=", ">", "<=", "in", "not in", "~=", "===", "=<", "not  in"],
    "==",
  );
  return random(4) === 0
    ? `${quoted(value)} ${operator} ${variable}`
    : `${variable}${pick(["", " "], " ")}${operator} ${quoted(value)}`;
}
function requirement(): string {
  const extras = pick(["", "", "[a]", "[a,b]", "[ a , B.c ]", "[a b]", "[]", "[a,]"], "");
  const tail =
    random(5) === 0
      ? ` @ https://h.example/x.whl${pick(["", " ", " ; ", ";"], "")}`
      : pick([clauses(), `(${clauses()})`, ` ${clauses()} `], "");
  return `${name()}${pick(["", " "], "")}${extras}${tail}${random(3) === 0 ? `; ${marker()}` : ""}`;
}
function wheel(): string {
  const tag = pick(
    [
      "py3-none-any",
      "cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
      "py2.py3-none-any",
      "cp315-abi3.abi3t-linux_x86_64",
      "py3-none",
    ],
    "",
  );
  return `${pick(["a", "Foo_Bar", "zope.interface", "x__y", "a-b"], "a")}-${plain()}${pick(["", "", "-1", "-2abc", "-x"], "")}-${tag}${pick([".whl", ".whl", ".zip"], "")}`;
}

const environment = {
  python_version: "3.11",
  python_full_version: "3.11.7",
  os_name: "posix",
  sys_platform: "linux",
  platform_machine: "x86_64",
  platform_release: "6.1.0-13-amd64",
  platform_system: "Linux",
  platform_version: "#1 SMP",
  platform_python_implementation: "CPython",
  implementation_name: "cpython",
  implementation_version: "3.11.7",
  extra: "foo-bar",
};
const minors = [9, 11, 13, 14];
const given = {
  names: many(name, 50),
  versions: many(version),
  orders: many(() => [version(), version()] as const),
  specifiers: many(() => [random(3) === 0 ? version() : plain(), clauses()] as const),
  // There `===` takes in a comma that follows; the farm reads it as the end of the clause.
  requirements: many(() => requirement().replaceAll("===", "==")),
  markers: many(() => marker()),
  wheels: many(wheel, 500),
  environment,
  minors,
  platforms: ["manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"],
};
// The oracle needs a `packaging` of its own; where this Python has none, pip's vendored copy is too old to compare with.
const python = findPython();

function findPython(): string | null {
  try {
    execFileSync(
      "python3",
      [
        "-c",
        "import packaging.markers, packaging.tags; assert int(packaging.__version__.split('.')[0]) >= 25",
      ],
      { stdio: "ignore" },
    );
    return "python3";
  } catch {
    return null;
  }
}

/** Cases answered differently; cases of which hardly one is accepted would prove nothing, and count as one. */
function differences<Case, Answer>(
  cases: readonly Case[],
  expected: readonly Answer[] | undefined,
  ours: (given: Case) => Answer,
): readonly unknown[] {
  const accepted = expected?.filter((answer) => answer !== null).length ?? 0;
  const differing = cases.flatMap((one, index) => {
    const [mine, theirs] = [ours(one), expected?.[index]];
    return theirs === "undefined" || JSON.stringify(mine) === JSON.stringify(theirs)
      ? []
      : [{ given: one, ours: mine, theirs }];
  });
  return accepted > cases.length / 20
    ? differing.slice(0, 10)
    : [`only ${accepted} of ${cases.length} cases are accepted`];
}

describe.skipIf(python === null)("as the packaging library does", () => {
  const oracle =
    python === null
      ? null
      : answers.parse(
          JSON.parse(
            execFileSync(python, ["-c", ORACLE], {
              input: JSON.stringify(given),
              encoding: "utf8",
              maxBuffer: 1 << 28,
            }),
          ),
        );

  it("normalises names", () => {
    expect(differences(given.names, oracle?.names, normaliseName)).toEqual([]);
  });
  it("parses and prints versions", () => {
    expect(
      differences(given.versions, oracle?.versions, (text) => {
        const parsed = parseVersion(text);
        return parsed === null ? null : formatVersion(parsed);
      }),
    ).toEqual([]);
  });
  it("orders versions", () => {
    expect(
      differences(given.orders, oracle?.orders, ([left, right]) => {
        const [one, other] = [parseVersion(left), parseVersion(right)];
        return one === null || other === null ? null : Math.sign(compareVersions(one, other));
      }),
    ).toEqual([]);
  });
  it("judges specifiers", () => {
    expect(
      differences(given.specifiers, oracle?.specifiers, ([text, set]) => {
        const parsed = parseSpecifierSet(set);
        return parsed === null ? null : satisfiesText(text, parsed);
      }),
    ).toEqual([]);
  });
  it("parses requirements", () => {
    expect(
      differences(given.requirements, oracle?.requirements, (text) => {
        const parsed = parseRequirement(text);
        if (parsed === null) return null;
        const written = [
          ...new Set(parsed.specifiers.map((each) => `${each.operator}${each.text}`)),
        ].toSorted();
        return [
          parsed.project,
          [...new Set(parsed.extras)].toSorted(),
          parsed.url,
          parsed.marker !== null,
          written,
        ];
      }),
    ).toEqual([]);
  });
  it("evaluates markers", () => {
    expect(
      differences(given.markers, oracle?.markers, (text) => {
        const parsed = parseMarker(text);
        return parsed === null ? null : evaluateMarker(parsed, environment, [environment.extra]);
      }),
    ).toEqual([]);
  });
  it("takes wheels' names apart", () => {
    expect(
      differences(given.wheels, oracle?.wheels, (text) => {
        const parsed = parseWheelFilename(text);
        return parsed === null
          ? null
          : [parsed.project, parsed.version, [...parsed.tags].toSorted()];
      }),
    ).toEqual([]);
  });
  it("lists the same tags for an interpreter, but for the manylinux names left out of the question", () => {
    const platforms = new Set([...given.platforms, "any"]);
    for (const [index, minor] of minors.entries()) {
      const ours = compatibleTags({
        implementation: "cpython",
        version: `3.${minor}`,
        glibc: [2, 41],
      });
      expect(ours.filter((tag) => platforms.has(tag.split("-")[2] ?? "")).toSorted()).toEqual(
        oracle?.tags[index]?.toSorted(),
      );
    }
    const pypy = compatibleTags({ implementation: "pypy", version: "3.11", glibc: [2, 41] });
    expect(pypy.filter((tag) => platforms.has(tag.split("-")[2] ?? "")).toSorted()).toEqual(
      oracle?.pypy.toSorted(),
    );
  });
});
