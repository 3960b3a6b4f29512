import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { directoryInRoot } from "../directory-in-root.ts";
import { installTree, settleTree } from "./interpreter-tree.ts";

const TREE = "opt/creamery/interpreters/pypy-3.11";

let directory = "";
let rootfs = "";
let host = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tree-"));
  rootfs = join(directory, "rootfs");
  host = join(directory, "host");
  mkdirSync(rootfs);
  mkdirSync(join(host, "bring"), { recursive: true });
  writeFileSync(join(host, "bring/kept"), "");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function context() {
  return { rootfs, signal: new AbortController().signal };
}

function put(path: string): void {
  mkdirSync(dirname(join(rootfs, path)), { recursive: true });
  writeFileSync(join(rootfs, path), "");
}

/** In the new root file system, to a directory outside of it. */
function plantLink(path: string): void {
  mkdirSync(dirname(join(rootfs, path)), { recursive: true });
  symlinkSync(host, join(rootfs, path));
}

test("of a tree's programs those are linked that it has", async () => {
  put(`${TREE}/bin/pypy3.11`);
  await settleTree("pypy-3.11", context());
  const programs = join(rootfs, "usr/local/bin");
  expect(readdirSync(programs)).toEqual(["pypy3.11"]);
  expect(readlinkSync(join(programs, "pypy3.11"))).toBe(`/${TREE}/bin/pypy3.11`);
  rmSync(programs, { recursive: true });
  put(`${TREE}/bin/pypy3.11-config`);
  await settleTree("pypy-3.11", context());
  expect(readdirSync(programs)).toEqual(["pypy3.11", "pypy3.11-config"]);
});

test.each(["usr", "usr/local", "usr/local/bin"])(
  "a link at %s leads no program among the host's files",
  async (planted) => {
    put(`${TREE}/bin/pypy3.11`);
    plantLink(planted);
    await expect(settleTree("pypy-3.11", context())).rejects.toMatchObject({
      code: "image-build",
      input: `/${planted}`,
    });
    expect(readdirSync(host, { recursive: true })).toEqual(["bring", "bring/kept"]);
  },
);

test.each(["opt", "opt/creamery", "opt/creamery/bring"])(
  "a link at %s leads no archive among the host's files, and removes none",
  async (planted) => {
    plantLink(planted);
    const archive = join(directory, "archive");
    writeFileSync(archive, "");
    await expect(
      installTree({ name: "pypy-3.11", archive, tree: "." }, context()),
    ).rejects.toMatchObject({ code: "image-build", input: `/${planted}` });
    expect(readdirSync(host, { recursive: true })).toEqual(["bring", "bring/kept"]);
  },
);

test("directories of a root file system are made, and what is none there is refused", async () => {
  const made = await directoryInRoot(rootfs, "/a/b/c");
  expect(made).toBe(join(rootfs, "a/b/c"));
  expect(statSync(made).mode & 0o777).toBe(0o755);
  expect(await directoryInRoot(rootfs, "/a/b/c")).toBe(made);
  put("a/file");
  symlinkSync("nowhere", join(rootfs, "a/dangling"));
  for (const name of ["file", "dangling"])
    await expect(directoryInRoot(rootfs, `/a/${name}/x`)).rejects.toThrow(/is no directory/u);
  expect(existsSync(join(rootfs, "a/nowhere"))).toBe(false);
});
