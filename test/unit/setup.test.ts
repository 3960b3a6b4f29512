import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const repository = resolve(import.meta.dirname, "../..");
const STAMP = "tools/ready-1";

/** A clone with what the launcher script reads, a cache that set-up is complete in, and a PATH of fakes. */
let clone = "";
let cache = "";
let commands = "";
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), "setup-"));
  chmodSync(directory, 0o755);
  [clone, cache, commands] = [
    join(directory, "clone"),
    join(directory, "cache"),
    join(directory, "bin"),
  ];
  for (const path of [join(clone, "node_modules"), join(cache, "tools"), commands]) {
    mkdirSync(path, { recursive: true });
  }
  for (const name of ["creamery", "package.json", "package-lock.json"]) {
    copyFileSync(join(repository, name), join(clone, name));
  }
  cpSync(join(repository, "setup"), join(clone, "setup"), { recursive: true });
  copyFileSync(join(clone, "package-lock.json"), join(clone, "node_modules/.creamery-lock"));
  for (const name of [
    "mmdebstrap",
    "runc",
    "git",
    "unshare",
    "setpriv",
    "xz",
    "python3",
    "mke2fs",
    "qemu-system-x86_64",
    "runsc",
  ]) {
    fake(name, "exit 0");
  }
  fake("node", 'echo "node $*"');
  writeFileSync(
    join(cache, STAMP),
    `node=${join(commands, "node")}\nrunsc=${join(commands, "runsc")}\ncertificates=\n`,
  );
});
afterEach(() => rmSync(resolve(clone, ".."), { recursive: true }));

function fake(name: string, script: string): void {
  writeFileSync(join(commands, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function run(
  argv: readonly string[],
  env: Record<string, string> = {},
): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(argv[0] ?? "", argv.slice(1), {
    encoding: "utf8",
    env: {
      PATH: `${commands}:/usr/bin:/bin:/usr/sbin:/sbin`,
      HOME: clone,
      CREAMERY_CACHE_DIR: cache,
      ...env,
    },
  });
  return { status, stdout, stderr };
}

/** Whether environment.sh takes set-up for complete. Its files of the host itself are judged elsewhere. */
function ready(kind = "runtime"): boolean {
  const script = `CREAMERY_HOME=$1; . "$1/setup/environment.sh"; environment_has_commands() { :; }; environment_ready "$2"`;
  return run(["sh", "-c", script, "sh", clone, kind]).status === 0;
}

describe("set-up is complete", () => {
  test("when the stamp's Node and runsc are there and the npm packages are the lock's", () => {
    expect(ready()).toBe(true);
  });

  test("but not for the tests when only the packages to run with are there", () => {
    expect(ready("dev")).toBe(false);
    copyFileSync(join(clone, "package-lock.json"), join(clone, "node_modules/.creamery-lock-dev"));
    expect(ready("dev")).toBe(true);
  });

  test.each([
    ["the stamp is not there", () => rmSync(join(cache, STAMP))],
    ["the stamp is cut", () => writeFileSync(join(cache, STAMP), "node=/u")],
    ["Node has gone", () => rmSync(join(commands, "node"))],
    ["runsc has gone", () => rmSync(join(commands, "runsc"))],
    ["the lock has changed", () => writeFileSync(join(clone, "package-lock.json"), "{}")],
    ["npm was interrupted", () => rmSync(join(clone, "node_modules/.creamery-lock"))],
  ])("never when %s", (_, damage) => {
    damage();
    expect(ready()).toBe(false);
  });

  test("never when Node was replaced since", () => {
    expect(run(["touch", "-d", "1 hour ago", join(cache, STAMP)]).status).toBe(0);
    expect(ready()).toBe(false);
  });
});

describe("without root", () => {
  // As root, another user is what has none; elsewhere we are it.
  const asNobody =
    process.getuid?.() === 0 ? ["/usr/bin/setpriv", "--reuid", "65534", "--clear-groups"] : [];
  const creamery = (...words: string[]): string[] => [
    ...asNobody,
    join(clone, "creamery"),
    ...words,
  ];

  test("and without a sudo that asks nothing: one line, with the next step, exit code 3", () => {
    fake("sudo", "exit 1");
    const { status, stdout, stderr } = run(creamery("test", "lmdb"));
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
    expect(stderr).toMatch(/^creamery: needs root .*; run it with sudo\n$/u);
  });

  test("sudo is given the words as they are and the names, never the values, of what is to be kept", () => {
    fake("sudo", '[ "$2" = true ] || for word in "$@"; do echo "<$word>"; done');
    const { status, stdout } = run(creamery("test", "a b", "--on=*"), {
      PIP_INDEX_URL: "https://token:secret@index.example/simple",
      UNRELATED: "1",
    });
    expect(status).toBe(0);
    expect(stdout).toContain(`<${join(clone, "creamery")}>\n<test>\n<a b>\n<--on=*>\n`);
    expect(stdout).toMatch(/<--preserve-env=[A-Z_,]*PIP_INDEX_URL[A-Z_,]*>/u);
    expect(stdout).not.toMatch(/secret|UNRELATED/u);
  });

  test("help and version are told, through a link too, set up or not", () => {
    symlinkSync(join(clone, "creamery"), join(commands, "creamery"));
    const version = run([...asNobody, join(commands, "creamery"), "--version"]);
    expect(version).toMatchObject({ status: 0, stdout: "creamery 0.1.0\n" });
    rmSync(join(cache, STAMP));
    const help = run(creamery("--help"));
    expect(help).toMatchObject({ status: 0, stderr: "" });
    expect(help.stdout).toContain("./creamery doctor");
  });
});

describe("what npm left", () => {
  const told = (): { status: number | null; stdout: string } => {
    const { status, stdout } = run([
      process.execPath,
      join(clone, "setup/installed-packages.ts"),
      clone,
    ]);
    return { status, stdout };
  };
  const locked = (entries: object): string =>
    JSON.stringify({ packages: { "": { name: "creamery" }, ...entries } });
  const write = (lock: object, installed: object): void => {
    writeFileSync(join(clone, "package-lock.json"), locked(lock));
    writeFileSync(join(clone, "node_modules/.package-lock.json"), locked(installed));
  };
  const runtime = { "node_modules/a": { integrity: "sha512-a" } };
  const lock = {
    ...runtime,
    "node_modules/b": { integrity: "sha512-b", dev: true },
    "node_modules/c": { integrity: "sha512-c", optional: true },
  };

  test("is told apart by the lock's hashes", () => {
    write(lock, { ...runtime, "node_modules/b": { integrity: "sha512-b" } });
    expect(told()).toEqual({ status: 0, stdout: "dev\n" });
    write(lock, runtime);
    expect(told()).toEqual({ status: 0, stdout: "runtime\n" });
  });

  test("is nothing when a package is another than the lock's, even an optional one, or is not there", () => {
    write(lock, { "node_modules/a": { integrity: "sha512-other" } });
    expect(told()).toEqual({ status: 1, stdout: "" });
    write(lock, { ...runtime, "node_modules/c": { integrity: "sha512-other" } });
    expect(told()).toEqual({ status: 1, stdout: "" });
    write(lock, {});
    expect(told()).toEqual({ status: 1, stdout: "" });
  });
});
