import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { FARM_UID, makeDirectories } from "./directories.ts";

const isRoot = process.getuid?.() === 0;

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-directories-"));
  chmodSync(root, 0o755);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (name: string) => join(root, name);
const directories = (change: { cache?: string; data?: string; run?: string } = {}) => ({
  cache: at("cache"),
  data: at("data"),
  run: at("run"),
  ...change,
});
const rights = (name: string) => {
  const { uid, mode } = statSync(at(name));
  return [uid, (mode & 0o777).toString(8)];
};

describe.skipIf(!isRoot)("directories", () => {
  test("are made, parents and all, and found again", () => {
    const nested = directories({ data: at("a/b/data") });
    makeDirectories(nested);
    makeDirectories(nested);
    expect(["cache", "cache/index", "a/b/data", "run"].map(rights)).toEqual([
      [0, "755"],
      [FARM_UID, "750"],
      [FARM_UID, "750"],
      [0, "755"],
    ]);
  });

  test("that are there and empty, or the farm's, are taken and closed", () => {
    for (const name of ["data", "run"]) mkdirSync(at(name), { mode: 0o700 });
    mkdirSync(at("data/lost+found"));
    makeDirectories(directories());
    expect(["data", "run"].map(rights)).toEqual([
      [FARM_UID, "750"],
      [0, "755"],
    ]);
    writeFileSync(at("data/store.sqlite"), "");
    chmodSync(at("data"), 0o755);
    makeDirectories(directories());
    expect(rights("data")).toEqual([FARM_UID, "750"]);
  });

  test.each(["data", "run"])("of somebody's are left as they are: %s", (name) => {
    mkdirSync(at("home"), { mode: 0o700 });
    writeFileSync(at("home/letter"), "");
    if (name === "run") chownSync(at("home"), 0, 0);
    expect(() => makeDirectories(directories({ [name]: at("home") }))).toThrow(/not empty/u);
    expect(rights("home")).toEqual([0, "700"]);
  });

  test.each([
    ["a file", "file", /no directory/u],
    ["what is below a file", "file/x", /no directory/u],
    ["a link that leads nowhere", "dangling", /can't be made/u],
    ["what nobody can make", "/proc/nope/x", /can't be made/u],
    ["a relative path", "rel", /no absolute path/u],
    ["what the farm's user can't reach", "closed/data", /lies below .*closed, where/u],
  ])("are refused in one line: %s", (_what, name, reason) => {
    writeFileSync(at("file"), "");
    symlinkSync("nowhere/at/all", at("dangling"));
    mkdirSync(at("closed"), { mode: 0o700 });
    const data = name === "rel" || name.startsWith("/") ? name : at(name);
    expect(() => makeDirectories(directories({ data }))).toThrow(reason);
    const nextStep = "name another by CREAMERY_DATA_DIR, or as directories.data in creamery.toml";
    expect(() => makeDirectories(directories({ data }))).toThrow(
      expect.objectContaining({ code: "usage", nextStep }),
    );
  });
});
