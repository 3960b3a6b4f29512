import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

// What the scripts make of [directories] of a configuration file, before there is a Node to ask.

const repository = resolve(import.meta.dirname, "../..");
const isRoot = process.getuid?.() === 0;
const DEFAULTS = { cache: "/var/cache/creamery", data: "/var/lib/creamery", run: "/run/creamery" };
const TABLE = '[limits]\npids = 512\n[directories]\ncache = "/srv/cache"\n';

let clone = "";
let commands = "";
beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "directories-"));
  chmodSync(clone, 0o755);
  copyFileSync(join(repository, "creamery"), join(clone, "creamery"));
  cpSync(join(repository, "setup"), join(clone, "setup"), { recursive: true });
  commands = join(clone, "bin");
  mkdirSync(commands);
});
afterEach(() => rmSync(clone, { recursive: true }));

function write(path: string, text: string): void {
  writeFileSync(join(clone, path), text);
}

function fake(name: string, script: string): void {
  writeFileSync(join(commands, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function run(
  argv: readonly string[],
  env: Record<string, string> = {},
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(argv[0] ?? "", argv.slice(1), {
    encoding: "utf8",
    cwd: clone,
    env: { PATH: `${commands}:/usr/bin:/bin:/usr/sbin:/sbin`, ...env },
  });
  return { status, stdout, stderr };
}

/** What environment.sh finds for these words of ./creamery, and which of it a person had set. */
function found(
  words: readonly string[],
  env: Record<string, string> = {},
  shell: readonly string[] = ["sh", "-eu"],
): object {
  const script = `CREAMERY_HOME=$PWD
    . "$CREAMERY_HOME/setup/environment.sh"
    printf '%s\\n' "$CREAMERY_CACHE_DIR" "$CREAMERY_DATA_DIR" "$CREAMERY_RUN_DIR" "$CREAMERY_DIRS_GIVEN"`;
  const { status, stdout, stderr } = run([...shell, "-c", script, "sh", ...words], env);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const [cache, data, runDirectory, given] = stdout.split("\n");
  return { cache, data, run: runDirectory, given };
}

test("without a creamery.toml they are the defaults, and no program is asked", () => {
  const log = join(commands, "log");
  fake("awk", `echo asked >>${log}`);
  expect(found(["test", "lmdb"])).toEqual({ ...DEFAULTS, given: "" });
  expect(found(["test", "--config", "none.toml"])).toEqual({ ...DEFAULTS, given: "" });
  expect(existsSync(log)).toBe(false);
  write("creamery.toml", TABLE);
  found(["test", "lmdb"]);
  expect(readFileSync(log, "utf8")).toBe("asked\n");
});

test.each([[["sh", "-eu"]], [["bash", "--norc", "-euo", "pipefail"]]])(
  "those of the clone's creamery.toml count for %j, and the environment wins",
  (shell) => {
    write(
      "creamery.toml",
      `${TABLE}  data='/srv/a b/it=s' # here\nrun = "/srv/run"\r\n[other]\nrun = "/no"\n`,
    );
    const all = { cache: "/srv/cache", data: "/srv/a b/it=s", run: "/srv/run" };
    expect(found(["doctor"], {}, shell)).toEqual({ ...all, given: "" });
    const env = { CREAMERY_CACHE_DIR: "/own", CREAMERY_DATA_DIR: "", CREAMERY_RUN_DIR: "/r" };
    expect(found([], env, shell)).toEqual({
      ...all,
      cache: "/own",
      run: "/r",
      given: "cache run",
    });
  },
);

test.each([
  [["test", "--config", "own.toml", "lmdb"], "/srv/own"],
  [["test", "--config=own.toml"], "/srv/own"],
  [["test", "--config=./own.toml", "--json"], "/srv/own"],
  [["test", "--config", "a=b.toml"], "/srv/a=b"],
  [["test", "--config=none", "--config", "own.toml"], "/srv/own"],
  [["test", "--config", "setup"], DEFAULTS.cache],
  [["test", "--config", "none.toml"], DEFAULTS.cache],
  [["test", "--config"], DEFAULTS.cache],
  [["test", "--", "--config", "own.toml"], "/srv/cache"],
  [["test", "x--config=own.toml"], "/srv/cache"],
])("of %j it is %s: --config names a file from where the person is", (words, cache) => {
  write("creamery.toml", TABLE);
  write("own.toml", "[directories]\ncache = '/srv/own'\n");
  write("a=b.toml", "[directories]\ncache = '/srv/a=b'\n");
  expect(found(words)).toMatchObject({ cache });
});

test.each([
  '[directories]\ncache = "relative"\n',
  '[directories]\ncache = "/srv/\\u0061"\n',
  "[directories]\ncache = '''/srv/a'''\n",
  'directories = { cache = "/srv/a" }\n',
  'directories.cache = "/srv/a"\n',
  '[directories]\n"cache" = "/srv/a"\n',
  '[directories.cache]\ncache = "/srv/a"\n',
  '# [directories]\n# cache = "/srv/a"\n',
  '[directories]\ncache = "/srv/a" x\n',
  '[directories]\n[[x]]\ncache = "/srv/a"\n',
])("%j is left to the command line to judge", (text) => {
  write("creamery.toml", text);
  expect(found(["doctor"])).toEqual({ ...DEFAULTS, given: "" });
});

test.skipIf(!isRoot)("a file is read with the rights of the person who called sudo", () => {
  write("own.toml", "[directories]\ncache = '/srv/own'\n");
  const sudo = { SUDO_UID: "65534", SUDO_GID: "65534" };
  expect(found(["--config", "own.toml"], sudo)).toMatchObject({ cache: "/srv/own" });
  chmodSync(join(clone, "own.toml"), 0o600);
  expect(found(["--config", "own.toml"], sudo)).toMatchObject({ cache: DEFAULTS.cache });
  expect(found(["--config", "own.toml"])).toMatchObject({ cache: "/srv/own" });
});

test.skipIf(!isRoot)("set-up and the launcher are told, and which of them a person had set", () => {
  write("creamery.toml", TABLE);
  write("setup/bring.sh", 'echo "set-up in $CREAMERY_CACHE_DIR" >&2; exit 3\n');
  const creamery = [join(clone, "creamery"), "test", "x"];
  expect(run(creamery)).toEqual({ status: 3, stdout: "", stderr: "set-up in /srv/cache\n" });

  const cache = join(clone, "cache");
  mkdirSync(join(cache, "tools"), { recursive: true });
  mkdirSync(join(clone, "node_modules"));
  for (const name of ["package-lock.json", "node_modules/.creamery-lock"]) write(name, "{}");
  for (const name of ["mmdebstrap", "runc", "node", "runsc", "mountpoint"]) fake(name, "exit 0");
  fake("unshare", 'env | grep "^CREAMERY_[A-Z]*_DIR\\|GIVEN" | sort');
  write(
    "cache/tools/ready-1",
    `node=${join(commands, "node")}\nrunsc=${join(commands, "runsc")}\ncertificates=\n`,
  );
  write("creamery.toml", `[directories]\ncache = "${cache}"\nrun = "/srv/run"\n`);
  const { stdout } = run(creamery, { CREAMERY_DATA_DIR: "/own" });
  expect(stdout.trim().split("\n")).toEqual([
    `CREAMERY_CACHE_DIR=${cache}`,
    "CREAMERY_DATA_DIR=/own",
    "CREAMERY_DIRS_GIVEN=data ",
    "CREAMERY_RUN_DIR=/srv/run",
  ]);
});
