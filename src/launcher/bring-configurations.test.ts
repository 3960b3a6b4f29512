import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { bringConfigurations } from "./bring-configurations.ts";

const FARM = 64123;
const NOBODY = { SUDO_UID: "65534", SUDO_GID: "65534" };
let root = "";
let received = "";
let home = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-bring-"));
  chmodSync(root, 0o755);
  [received, home] = [join(root, "received"), join(root, "home")];
  mkdirSync(received, { mode: 0o711 });
  mkdirSync(home);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string, mode = 0o644): string {
  const whole = join(home, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  chmodSync(whole, mode);
  return whole;
}

function brought(env: NodeJS.ProcessEnv = {}): { pip: string | null; cargo: string | null } {
  const found = bringConfigurations({ HOME: home, ...env }, { received });
  const read = (path: string): string | null =>
    existsSync(path) ? readFileSync(path, "utf8") : null;
  const answer = {
    pip: read(found["PIP_CONFIG_FILE"] ?? "none"),
    cargo: read(join(found["CARGO_HOME"] ?? "", "config.toml")),
  };
  rmSync(received, { recursive: true });
  mkdirSync(received);
  return answer;
}

// Files are given to the farm's user.
describe.skipIf(process.getuid?.() !== 0)("the configurations of the person who asked", () => {
  test("are none where there are none, and cargo has a home to write in all the same", () => {
    const { CARGO_HOME = "", ...rest } = bringConfigurations({ HOME: home }, { received });
    expect(rest).toEqual({});
    expect(CARGO_HOME).toBe(join(received, "cargo"));
    expect(statSync(CARGO_HOME)).toMatchObject({ uid: FARM, gid: FARM, mode: 0o40700 });
  });

  test("are where pip and cargo look for them", () => {
    write(".pip/pip.conf", "old pip");
    write(".cargo/config.toml", "cargo");
    expect(brought()).toEqual({ pip: "old pip", cargo: "cargo" });
    write(".config/pip/pip.conf", "pip");
    write(".cargo/config", "old cargo");
    expect(brought()).toEqual({ pip: "pip", cargo: "old cargo" });
    write("own/config.toml", "own");
    expect(brought({ CARGO_HOME: join(home, "own") }).cargo).toBe("own");
    expect(brought({ CREAMERY_ASKER_HOME: join(home, "nowhere") })).toEqual({
      pip: null,
      cargo: null,
    });
    expect(brought({ PIP_CONFIG_FILE: "/etc/pip.conf" }).pip).toBeNull();
  });

  test("are for the farm's user alone to read", () => {
    write(".cargo/config.toml", "cargo");
    write(".pip/pip.conf", "pip");
    const found = bringConfigurations({ HOME: home }, { received });
    for (const path of [found["PIP_CONFIG_FILE"], join(found["CARGO_HOME"] ?? "", "config.toml")])
      expect(statSync(path ?? "")).toMatchObject({ uid: 0, gid: FARM, mode: 0o100640 });
  });

  test("are read with that person's rights, and root's are there again afterwards", () => {
    const groups = process.getgroups?.();
    const path = write(".cargo/config.toml", "cargo");
    expect(brought(NOBODY).cargo).toBe("cargo");
    chmodSync(path, 0o600);
    expect(brought(NOBODY).cargo).toBeNull();
    // Nor do root's groups count.
    chmodSync(path, 0o640);
    chownSync(path, 0, 0);
    expect(brought(NOBODY).cargo).toBeNull();
    chownSync(path, 65534, 65534);
    expect(brought(NOBODY).cargo).toBe("cargo");
    expect(brought({ SUDO_UID: "4000000", SUDO_GID: "4000000" }).cargo).toBeNull();
    expect([process.geteuid?.(), process.getegid?.(), process.getgroups?.()]).toEqual([
      0,
      0,
      groups,
    ]);
  });

  test("that are no files are passed over, and one that is too large is a fault", () => {
    mkdirSync(join(home, ".cargo"));
    execFileSync("mkfifo", [join(home, ".cargo/config")]);
    mkdirSync(join(home, ".cargo/config.toml"));
    expect(brought().cargo).toBeNull();
    rmSync(join(home, ".cargo/config"));
    write(".cargo/config", "x".repeat(1024 * 1024 + 1));
    expect(() => brought()).toThrow(/larger than 1048576 bytes/u);
  });
});
