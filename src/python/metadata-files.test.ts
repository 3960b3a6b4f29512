import { describe, expect, it } from "vitest";
import { allowsPython, parseCoreMetadata } from "./core-metadata.ts";
import { expandGroup } from "./dependency-groups.ts";
import { parseSdistFilename, parseWheelFilename } from "./distribution-filename.ts";
import { parseEntryPoints } from "./entry-points.ts";
import { parseIni } from "./ini.ts";
import { markersOf } from "./interpreter-markers.ts";
import { readRequirementsFile } from "./requirements-file.ts";
import { applies, parseRequirement } from "./requirements.ts";
import { parseSpecifierSet, pickNewest } from "./specifiers.ts";
import { compatibleWheel, tagsOf } from "./wheel-tags.ts";

const at = (version: string, fullVersion: string) =>
  markersOf({ implementation: "cpython", version, fullVersion });
const cpython = (version: string) => ({ implementation: "cpython", version }) as const;

describe("core metadata", () => {
  const metadata = parseCoreMetadata(
    "Metadata-Version: 2.4\nName: x\nVersion: 1\nRequires-Python: >=3.9\nRequires-Dist: pytest; extra == 'test'\nRequires-Dist: nonsense nonsense\n" +
      "Provides-Extra: test\nProject-URL: Source, https://host.example/x\nClassifier: A\n  B\n\nName: body\n",
  );

  it("reads the headers and nothing of the body", () => {
    expect(metadata).toMatchObject({
      name: "x",
      requiresPython: ">=3.9",
      extras: ["test"],
      badRequiresDist: ["nonsense nonsense"],
    });
    expect(metadata.projectUrls).toEqual([["source", "https://host.example/x"]]);
    expect(metadata.classifiers).toEqual(["A B"]);
    expect(metadata.requiresDist.map((one) => one.project)).toEqual(["pytest"]);
  });

  it("judges Requires-Python by the interpreter's version, a pre-release counting as what it becomes", () => {
    expect(allowsPython(">=3.9", at("3.8", "3.8.20"))).toBe(false);
    expect(allowsPython(">=3.15", at("3.15", "3.15.0b2"))).toBe(true);
    expect(allowsPython(">=2.7, !=3.0.*", at("2.7", "2.7.18"))).toBe(true);
    expect(allowsPython("what?", at("2.7", "2.7.18"))).toBe(true);
  });

  it("applies a requirement by its marker and extras", () => {
    const environment = markersOf({
      implementation: "pypy",
      version: "3.11",
      fullVersion: "3.11.13",
    });
    const requirement = parseRequirement(
      "a; extra == 'Test_X' and platform_python_implementation != 'CPython'",
    );
    expect(requirement !== null && applies(requirement, environment, ["test-x"])).toBe(true);
    expect(requirement !== null && applies(requirement, environment, [])).toBe(false);
  });
});

describe("picking a release", () => {
  const choices = ["1.0", "1.1", "2.0rc1", "1.2"].map((version) => ({
    version,
    yanked: version === "1.2",
  }));
  const pick = (set: string) => pickNewest(choices, parseSpecifierSet(set) ?? [])?.version;

  it("takes the newest final one that is not yanked", () => expect(pick("")).toBe("1.1"));
  it("takes a yanked one only when it is pinned", () =>
    expect([pick("==1.2"), pick(">=1.2,<2")]).toEqual(["1.2", undefined]));
  it("takes a pre-release where nothing else fits or it is asked for", () =>
    expect([pick(">1.9"), pick(">=1.0rc1")]).toEqual(["2.0rc1", "2.0rc1"]));
});

describe("file names", () => {
  it("takes sdists' names apart, old ones with dashes too", () => {
    expect(parseSdistFilename("zope_interface-8.7.tar.gz")).toEqual({
      kind: "sdist",
      project: "zope-interface",
      version: "8.7",
    });
    expect(parseSdistFilename("a-b-2-1.0.zip", "a-b-2")).toEqual({
      kind: "sdist",
      project: "a-b-2",
      version: "1.0",
    });
    expect(parseSdistFilename("a-1.0.exe")).toBeNull();
    expect(parseSdistFilename("../a-1.0.zip")).toBeNull();
  });

  it("refuses wheels whose name is none", () => {
    expect(parseWheelFilename("a-1.0-py3-none-any.whl")?.tags).toEqual(["py3-none-any"]);
    expect(parseWheelFilename("a/b-1.0-py3-none-any.whl")).toBeNull();
  });
});

describe("wheel tags", () => {
  it("knows wide Python 2.7, stable ABIs old and new, and PyPy", () => {
    expect(compatibleWheel("a-1-cp27-cp27mu-manylinux1_x86_64.whl", cpython("2.7"))).toBe(true);
    expect(compatibleWheel("a-1-py2.py3-none-any.whl", cpython("2.7"))).toBe(true);
    expect(compatibleWheel("a-1-py3-none-any.whl", cpython("2.7"))).toBe(false);
    expect(compatibleWheel("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", cpython("3.15"))).toBe(true);
    expect(compatibleWheel("a-1-cp315-abi3t-manylinux_2_28_x86_64.whl", cpython("3.15"))).toBe(
      true,
    );
    expect(compatibleWheel("a-1-cp315-abi3t-manylinux_2_28_x86_64.whl", cpython("3.14"))).toBe(
      false,
    );
    expect(compatibleWheel("a-1-cp39-abi3-manylinux_2_28_aarch64.whl", cpython("3.15"))).toBe(
      false,
    );
    expect(compatibleWheel("a-1-cp313-cp313-manylinux_2_42_x86_64.whl", cpython("3.13"))).toBe(
      false,
    );
    expect(
      compatibleWheel("a-1-pp311-pypy311_pp73-manylinux2014_x86_64.whl", {
        implementation: "pypy",
        version: "3.11",
      }),
    ).toBe(true);
    expect(
      compatibleWheel("a-1-cp311-cp311-manylinux2014_x86_64.whl", {
        implementation: "pypy",
        version: "3.11",
      }),
    ).toBe(false);
    expect(tagsOf(cpython("3.13"))[0]).toBe("cp313-cp313-manylinux_2_41_x86_64");
  });
});

describe("dependency groups", () => {
  const groups = {
    Test: ["pytest", { "include-group": "other_one" }],
    "other-one": ["x"],
    a: [{ "include-group": "b" }],
    b: [{ "include-group": "A" }],
    bad: [1],
  };

  it("expands includes in any spelling", () =>
    expect(expandGroup(groups, "test")).toEqual({ kind: "ok", requirements: ["pytest", "x"] }));
  it.each(["a", "bad", "missing"])("says why %s is bad", (name) =>
    expect(expandGroup(groups, name).kind).toBe("bad"),
  );
});

describe("requirements files", () => {
  const texts: Readonly<Record<string, string>> = {
    "requirements/tests.txt":
      "-r base.in\n-c ../constraints.txt\npytest==8.1.1 \\\n    --hash=sha256:00\n# note\n--index-url https://index.example\n-e .[test]\ngit+https://host.example/x\nb>1 # why\n-r ../../../etc/passwd\n",
    "requirements/base.in": "a\n-r tests.txt\n",
    "constraints.txt": "c<2\n",
  };
  const read = readRequirementsFile("requirements/tests.txt", (path) => texts[path]);

  it("follows includes inside the tree, and notes what it leaves out", () => {
    expect(read.requirements.map((one) => one.text)).toEqual(["a", "pytest==8.1.1", "b>1"]);
    expect(read.constraints.map((one) => one.text)).toEqual(["c<2"]);
    expect(read.selfExtras).toEqual(["test"]);
    expect(read.notes).toHaveLength(3);
  });
});

describe("entry points and INI files", () => {
  it("reads entry points", () => {
    expect(parseEntryPoints("[console_scripts]\nx = a.b:main [extra]\n[pytest11]\ny=z\n")).toEqual([
      { group: "console_scripts", name: "x", module: "a.b", object: "main" },
      { group: "pytest11", name: "y", module: "z", object: null },
    ]);
  });

  it("reads sections, continued values and comments as configparser does", () => {
    const parsed = parseIni(
      "# c\n[a]\nx = 1\ny:\n  two\n  # no\n\n  three\n[b c]\nK = v # comment\n",
    );
    expect(parsed.kind === "ok" && parsed.ini.get("a")?.get("y")).toBe("\ntwo\nthree");
    expect(parsed.kind === "ok" && parsed.ini.get("b c")?.get("k")).toBe("v");
    expect(parseIni("nothing\n").kind).toBe("bad");
  });
});
