import {
  chownSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { askerFrom, type Asker } from "./asker.ts";
import { FARM_UID } from "./directories.ts";
import type { Session } from "./session.ts";

/** pip and cargo read nothing near it. */
const MAX_BYTES = 1024 * 1024;

/**
 * The person's own configurations of pip and of cargo, where only that person may look: the farm's index follows them. Each is
 * copied into the session for the farm's user alone, since it can hold credentials.
 * @returns variables for the command line.
 * @throws CreameryError `configuration-file` for one that is too large: the default in its place would be another index.
 */
export function bringConfigurations(
  env: NodeJS.ProcessEnv,
  { received }: Pick<Session, "received">,
): NodeJS.ProcessEnv {
  const home = env["CREAMERY_ASKER_HOME"] ?? env["HOME"] ?? "/";
  const cargoHome = env["CARGO_HOME"] ?? join(home, ".cargo");
  const found = withRightsOf(askerFrom(env), () => ({
    pip:
      env["PIP_CONFIG_FILE"] === undefined
        ? readFirst(join(home, ".config/pip/pip.conf"), join(home, ".pip/pip.conf"))
        : undefined,
    // In cargo's order: its old name comes first.
    cargo: readFirst(join(cargoHome, "config"), join(cargoHome, "config.toml")),
  }));
  const brought: NodeJS.ProcessEnv = {};
  if (found.pip !== undefined) {
    const directory = join(received, "pip");
    mkdirSync(directory, { mode: 0o711 });
    brought["PIP_CONFIG_FILE"] = put(join(directory, "pip.conf"), found.pip);
  }
  // Made in any case: cargo wants to write there, and the person's own is no place for the farm's user.
  const directory = join(received, "cargo");
  mkdirSync(directory, { mode: 0o700 });
  if (found.cargo !== undefined) put(join(directory, "config.toml"), found.cargo);
  chownSync(directory, FARM_UID, FARM_UID);
  return { ...brought, CARGO_HOME: directory };
}

function put(path: string, content: Buffer): string {
  writeFileSync(path, content, { mode: 0o640, flag: "wx" });
  chownSync(path, 0, FARM_UID);
  return path;
}

/** Runs `look` as a person's user and first group, without root's groups; it must not wait for anything. */
function withRightsOf<Found>({ uid, gid }: Asker, look: () => Found): Found {
  if (uid === 0) return look();
  const groups = process.getgroups?.() ?? [];
  try {
    process.setgroups?.([gid]);
    process.setegid?.(gid);
    process.seteuid?.(uid);
    return look();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
    process.setgroups?.(groups);
  }
}

/** The first of these that is a file and can be read; the ordinary case is that there is none. */
function readFirst(...paths: readonly string[]): Buffer | undefined {
  for (const path of paths) {
    const content = readBounded(path);
    if (content !== undefined) return content;
  }
  return undefined;
}

function readBounded(path: string): Buffer | undefined {
  let handle: number;
  try {
    // A pipe in its place must not be waited for.
    handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  try {
    const state = fstatSync(handle);
    if (!state.isFile()) return undefined;
    if (state.size > MAX_BYTES)
      throw new CreameryError("configuration-file", `is larger than ${MAX_BYTES} bytes`, {
        input: path,
        nextStep: "make it smaller",
      });
    const content = Buffer.alloc(state.size);
    return content.subarray(0, readSync(handle, content, 0, content.length, 0));
  } finally {
    closeSync(handle);
  }
}
