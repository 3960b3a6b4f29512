import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import {
  InstalledListingSchema,
  SmokeSchema,
  TreeListingSchema,
  UnpackedSchema,
} from "../../../src/worker/scan-schemas.ts";
import { GUEST } from "./event-pipe.ts";

const run = promisify(execFile);
// The guest's Python has it; that of the oldest Debian the tests run on does not.
const hasDataFilter =
  spawnSync("python3", ["-c", "import tarfile; tarfile.data_filter"]).status === 0;
let directory: string;
let out: string;

async function scan<Schema extends z.ZodType>(
  schema: Schema,
  ...argv: string[]
): Promise<z.infer<Schema>> {
  await run("python3", [
    "-I",
    "-B",
    join(GUEST, "scan.py"),
    argv[0] ?? "",
    "--out",
    out,
    ...argv.slice(1),
  ]);
  return schema.parse(JSON.parse(await readFile(out, "utf8")));
}

async function write(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text, { mode: path.startsWith("bin/") ? 0o755 : 0o644 });
  }
}

/** Makes an archive in Python, whose libraries write what a well-behaved tool would not. */
async function archive(name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await run("python3", [
    "-c",
    `import io, sys, tarfile, zipfile\npath = sys.argv[1]\n${script}`,
    path,
  ]);
  return path;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "creamery-scan-"));
  out = join(directory, "out.json");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("a tree", () => {
  it("is listed with its tests, what they import, and the texts that say how they are run", async () => {
    const root = join(directory, "tree");
    await write(root, {
      "pyproject.toml": "[project]\nname = 'x'\n",
      "requirements/tests.txt": "pytest\n",
      "src/x/__init__.py": "def testing_is_no_test(): pass\n",
      "tests/test_x.py":
        "import pytest\nfrom a.b import c\ntry:\n    import d\nexcept ImportError:\n    pass\ndef test_a():\n    import inside\nclass T:\n    async def test_b(self): pass\n",
      "tests/old.py":
        "import unittest, os.path\nprint 'python 2'\nclass T(unittest.TestCase):\n  def test_c(self): pass\n",
      "__pycache__/x.pyc": "",
      "big/data.bin": "x".repeat(1000),
    });
    const tree = await scan(TreeListingSchema, "tree", root);
    const found = Object.fromEntries(tree.files.map(({ path, ...rest }) => [path, rest]));
    expect(Object.keys(found)).toEqual([
      "big/data.bin",
      "pyproject.toml",
      "requirements/tests.txt",
      "src/x/__init__.py",
      "tests/old.py",
      "tests/test_x.py",
    ]);
    expect(found["tests/test_x.py"]).toMatchObject({
      testFunctions: 2,
      imports: ["a", "d", "pytest"],
      usesPytest: true,
    });
    expect(found["tests/old.py"]).toMatchObject({
      testFunctions: 1,
      imports: ["os", "unittest"],
      usesUnittest: true,
    });
    expect(found["big/data.bin"]).toEqual({ sizeBytes: 1000, testFunctions: 0 });
    expect(tree.texts).toEqual({
      "pyproject.toml": "[project]\nname = 'x'\n",
      "requirements/tests.txt": "pytest\n",
    });
  });
});

describe("an archive", () => {
  it("that is a zip and leads out of its directory loses those members only", async () => {
    const path = await archive(
      "evil.zip",
      "with zipfile.ZipFile(path, 'w') as z:\n  for n in ('x-1/setup.py', '../out.py', '/etc/creamery-out', 'x-1/../../out.py'): z.writestr(n, 'pass')\n  link = zipfile.ZipInfo('x-1/link'); link.external_attr = 0o120777 << 16; z.writestr(link, '/etc')",
    );
    const unpacked = await scan(UnpackedSchema, "unpack", path, join(directory, "zip", "src"));
    expect(unpacked.root).toBe(join(directory, "zip", "src", "x-1"));
    expect(unpacked.listing.files.map((entry) => entry.path)).toEqual(["setup.py"]);
    expect(unpacked.refused).toHaveLength(4);
    await expect(readFile(join(directory, "zip", "out.py"))).rejects.toThrow("ENOENT");
  });

  it.runIf(hasDataFilter)(
    "that is a tar and leads out of its directory loses those members only",
    async () => {
      const path = await archive(
        "evil.tar.gz",
        [
          "with tarfile.open(path, 'w:gz') as t:",
          "  def add(name, kind=tarfile.REGTYPE, link=''):",
          "    m = tarfile.TarInfo(name); m.type = kind; m.linkname = link; m.size = 4 if kind == tarfile.REGTYPE else 0",
          "    t.addfile(m, io.BytesIO(b'pass') if m.size else None)",
          "  add('x-1/setup.py'); add('../out.py'); add('x-1/link', tarfile.SYMTYPE, '/etc'); add('x-1/link/creamery-out'); add('x-1/dev', tarfile.CHRTYPE)",
        ].join("\n"),
      );
      const unpacked = await scan(UnpackedSchema, "unpack", path, join(directory, "tar", "src"));
      expect(unpacked.listing.files.map((entry) => entry.path)).toContain("setup.py");
      expect(unpacked.refused.length).toBeGreaterThanOrEqual(3);
      await expect(readFile(join(directory, "tar", "out.py"))).rejects.toThrow("ENOENT");
      await expect(readFile("/etc/creamery-out")).rejects.toThrow("ENOENT");
    },
  );

  it.each([
    [
      "says it is huge",
      "with zipfile.ZipFile(path, 'w') as z: z.writestr('a', 'x')\nd = bytearray(open(path, 'rb').read()); i = d.find(b'PK\\x01\\x02') + 24; d[i:i+4] = (3 << 30).to_bytes(4, 'little'); open(path, 'wb').write(d)",
      /unpacks to more than/u,
    ],
    ["is none", "open(path, 'wb').write(b'PK\\x03\\x04 garbage')", /cannot be unpacked/u],
    ["is cut", "open(path, 'wb').write(b'\\x1f\\x8b\\x08\\x00')", /cannot be unpacked/u],
  ])("that %s is refused with a reason", async (name, script, reason) => {
    const path = await archive(name.replaceAll(" ", "-"), script);
    await expect(
      scan(UnpackedSchema, "unpack", path, join(directory, "bad", name)),
    ).rejects.toThrow(reason);
  });
});

describe("what is installed", () => {
  let python: string;
  let site: string;
  const install = async (project: string, files: Record<string, string>, entryPoints = "") => {
    const info = `${project.replaceAll("-", "_")}-1.0.dist-info`;
    await write(site, {
      ...files,
      [`${info}/METADATA`]: `Name: ${project}\n`,
      [`${info}/entry_points.txt`]: entryPoints,
    });
    await writeFile(
      join(site, info, "RECORD"),
      [...Object.keys(files), "../../../bin/x"].map((path) => `${path},,\n`).join(""),
    );
  };
  beforeAll(async () => {
    const venv = join(directory, "venv");
    await run("python3", ["-m", "venv", "--without-pip", venv]);
    python = join(venv, "bin", "python");
    site = (
      await run(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    ).stdout.trim();
    await install(
      "good-one",
      {
        "good/__init__.py": "",
        "good/sub.py": "x = 1",
        "good/_private.py": "1/0",
        "good/tests/test_g.py": "def test_g(): 1/0\nraise SystemExit",
        "alone.py": "",
        "scan.py": "mine = True",
      },
      "[console_scripts]\ngood-tool = good:main\n[other]\na = b\n",
    );
    await writeFile(join(venv, "bin", "good-tool"), "#!/bin/sh\necho usage; exit 2\n", {
      mode: 0o755,
    });
    await install("crashing", {
      "crashing/__init__.py": "",
      "crashing/a.py": "1/0",
      "crashing/b.py": "import os; os.kill(os.getpid(), 11)",
      "crashing/c.py": "import os; os._exit(0)",
      "crashing/d.py": "",
    });
    await install("broken", { "broken.py": "import a_module_that_is_not_there" });
  });

  const smoke = async (project: string) => {
    await run(python, ["-B", join(GUEST, "smoke.py"), "--out", out, project], { cwd: directory });
    return SmokeSchema.parse(JSON.parse(await readFile(out, "utf8")));
  };

  it("is listed from its RECORD, by its normalised name", async () => {
    const installed = await scan(
      InstalledListingSchema,
      "installed",
      join(directory, "venv"),
      "Good.One",
    );
    expect(installed).toMatchObject({
      sitePackages: site,
      topLevel: ["alone", "good", "scan"],
      metadata: "Name: good-one\n",
    });
    expect(installed.files.find((entry) => entry.path === "good/tests/test_g.py")).toMatchObject({
      testFunctions: 1,
    });
    expect(await scan(z.null(), "installed", join(directory, "venv"), "absent")).toBeNull();
  });

  it("passes when all that is public can be imported and the scripts answer, whatever their modules are called", async () => {
    expect(await smoke("good-one")).toEqual({
      pass: true,
      topLevel: ["alone", "good", "scan"],
      modules: { tried: 4, imported: 4, failed: [] },
      scripts: [{ name: "good-tool", ok: true, exit: 2, error: "" }],
      truncated: false,
    });
  });

  it("survives modules that crash or end the process, and tells of each", async () => {
    const result = await smoke("crashing");
    expect(result.pass).toBe(true);
    expect(result.modules).toMatchObject({ tried: 5, imported: 2 });
    expect(
      result.modules.failed.map(({ name, error }) => [name, error.trim().split("\n").at(-1)]),
    ).toEqual([
      ["crashing.a", "ZeroDivisionError: division by zero"],
      ["crashing.b", "importing it ended by signal 11"],
      ["crashing.c", "importing it ended the process"],
    ]);
  });

  it("waits for the installer beside it, and finds what a new process would", async () => {
    const code = join(directory, "install.code");
    const begin = () =>
      run(python, ["-B", join(GUEST, "smoke.py"), "--out", out, "late", "--then", code], {
        cwd: directory,
      });
    const running = begin();
    // It is there before anything of the release is.
    await sleep(500);
    await write(join(directory, "elsewhere"), { "needed_by_late.py": "" });
    await install("late", {
      "late/__init__.py": "import needed_by_late",
      "late.pth": `${join(directory, "elsewhere")}\n`,
    });
    await writeFile(code, "0\n");
    await running;
    const found = SmokeSchema.parse(JSON.parse(await readFile(out, "utf8")));
    expect(found).toMatchObject({ pass: true, topLevel: ["late"], modules: { imported: 1 } });
    await writeFile(code, "1\n");
    await expect(begin()).rejects.toMatchObject({ code: 3 });
  });

  it("fails when what is top-level can't be imported", async () => {
    const result = await smoke("broken");
    expect(result.pass).toBe(false);
    expect(result.modules.failed[0]?.error).toContain(
      "No module named 'a_module_that_is_not_there'",
    );
  });
});
