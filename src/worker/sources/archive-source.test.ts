import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import { CreameryError } from "../../base/errors.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { resolveArchive } from "./archive-source.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "creamery-archive-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function resolve(filename: string, content: string | Buffer): Promise<ResolvedSource> {
  // As the launcher copies it: under a name of its own.
  const file = join(directory, "source");
  writeFileSync(file, content);
  const given = { path: `/srv/dist/${filename}`, file, extras: [], label: filename };
  return resolveArchive(given, new AbortController().signal);
}

async function refusal(filename: string, content: string | Buffer): Promise<CreameryError> {
  const outcome: unknown = await resolve(filename, content).catch((thrown: unknown) => thrown);
  if (outcome instanceof CreameryError) return outcome;
  throw new Error(`${filename} was taken`);
}

describe("a wheel", () => {
  test("is what its metadata says", async () => {
    const content = makeWheel("My.Pkg", "1.0RC1", { "m.py": "" }, [], ">=3.9, <4");
    expect(await resolve("my_pkg-1.0.0rc1-py3-none-any.whl", content)).toMatchObject({
      kind: "wheel",
      project: "my-pkg",
      version: "1.0rc1",
      requiresPython: ">=3.9, <4",
      sourceFile: null,
      wheelFile: { filename: "my_pkg-1.0.0rc1-py3-none-any.whl" },
    });
    expect(
      await resolve("x-1.0+deb.1-py3-none-any.whl", makeWheel("x", "1.0+deb.1", {})),
    ).toMatchObject({ version: "1.0+deb.1", requiresPython: null });
  });

  test.each([
    [
      "other-1.0-py3-none-any.whl",
      "x",
      "1.0",
      /^other-.*: is x 1\.0 by its own metadata; give it/u,
    ],
    ["x-1.1-py3-none-any.whl", "x", "1.0", /is x 1\.0 by its own metadata/u],
    ["x-1.0-py3-none-any.whl", "x", "1.0+local", /is x 1\.0\+local by its own/u],
    ["x-1.0-py3-none-any.whl", "x\u001b[2J", "one", /is x\\x1b\[2J one by its own/u],
  ])("named %s whose metadata says %j %s is refused", async (filename, name, version, line) => {
    const error = await refusal(filename, makeWheel(name, version, {}));
    expect(error.code).toBe("bad-archive");
    expect(error.line).toMatch(line);
  });

  test("without metadata, or with two of them, is refused", async () => {
    // An empty zip's end alone, behind what a zip begins with.
    const bare = Buffer.concat([
      Buffer.from("PK\u0003\u0004"),
      Buffer.from("PK\u0005\u0006"),
      Buffer.alloc(18),
    ]);
    const twice = makeWheel("x", "1.0", { "y-1.0.dist-info/METADATA": "Name: y\nVersion: 1.0\n" });
    for (const content of [bare, twice, "PK\u0003\u0004"]) {
      const error = await refusal("x-1.0-py3-none-any.whl", content);
      expect(error.line).toMatch(/^x-1\.0-.*: holds no METADATA that can be read; build it anew/u);
    }
  });

  test("named as no wheel can be is refused", async () => {
    const error = await refusal("x.whl", makeWheel("x", "1.0", {}));
    expect([error.code, error.line]).toEqual([
      "bad-archive",
      expect.stringMatching(/^x\.whl: .*PEP 427.*; give it the name/u),
    ]);
  });
});

test.each([
  ["zope-interface-6.0.tar.gz", gzipSync(""), "zope-interface", "6.0"],
  ["x-1.0.tgz", gzipSync(""), "x", "1.0"],
  ["x-1.0.zip", Buffer.from("PK\u0003\u0004"), "x", "1.0"],
  ["x-1.0.tar.bz2", Buffer.from("BZh9"), "x", "1.0"],
  ["x-1.0.tar.xz", Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), "x", "1.0"],
  ["My project (main).zip", Buffer.from("PK\u0003\u0004"), "my-project-main", ""],
  ["---.zip", Buffer.from("PK\u0003\u0004"), "project", ""],
])("%s is an sdist", async (filename, content, project, version) => {
  const source = await resolve(filename, content);
  expect(source).toMatchObject({ kind: "sdist", project, version, wheelFile: null });
  expect(source.sourceFile).toMatchObject({ filename, sha256: source.sha256 });
});

test.each([
  ["x-1.0.tar.gz", "<html>not found</html>", /^\/srv\/dist\/x-1\.0\.tar\.gz: is no gzip archive/u],
  ["x-1.0.tar.gz", "", /is no gzip archive/u],
  ["x-1.0-py3-none-any.whl", gzipSync(""), /is no zip archive/u],
])("%s that begins with %j is refused", async (filename, content, line) => {
  const error = await refusal(filename, content);
  expect(error.code).toBe("bad-archive");
  expect(error.line).toMatch(line);
});
