import { chmodSync, chownSync, mkdirSync, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";

import { CreameryError, diskFullFault, reasonOf } from "../base/errors.ts";

/** Numeric user and group of the farm's own unprivileged process; needs no entry in passwd. */
export const FARM_UID = 64123;

/** For setpriv(1), before a command: the farm's user and nothing more; it ends with whoever started it. */
export const AS_FARM = [
  "--reuid",
  String(FARM_UID),
  "--regid",
  String(FARM_UID),
  "--clear-groups",
  "--inh-caps=-all",
  "--bounding-set=-all",
  "--no-new-privs",
  "--pdeathsig",
  "KILL",
  "--",
] as const;

export interface Directories {
  readonly cache: string;
  readonly data: string;
  readonly run: string;
}

/** Below the data directory, the farm's own: archives of images on their way here, each by its sha256. */
export const INCOMING = "incoming";

/** Root's own: archives of images for other hosts, each by its sha256. */
export function archivesDirectory({ cache }: Pick<Directories, "cache">): string {
  return join(cache, "archives");
}

/** From the environment that `./creamery` sets, else the defaults of a Debian host. */
export function directoriesFrom(env: NodeJS.ProcessEnv): Directories {
  return {
    cache: env["CREAMERY_CACHE_DIR"] ?? "/var/cache/creamery",
    data: env["CREAMERY_DATA_DIR"] ?? "/var/lib/creamery",
    run: env["CREAMERY_RUN_DIR"] ?? "/run/creamery",
  };
}

/** As they are called by a variable, and in `[directories]`. */
type Name = keyof Directories;

/**
 * Makes them: images and tools are root's, index and data the farm's own. Synchronous: it is on the way to a start. What is
 * there and is somebody's is neither taken over nor opened: a mistyped path may be a home directory.
 * @throws CreameryError `usage` naming the directory, why it can't be used, and how another is named.
 */
export function makeDirectories({ cache, data, run }: Directories): void {
  for (const [name, path] of Object.entries({ cache, data, run }))
    if (!isAbsolute(path)) throw unusable(name, path, "is no absolute path");
  for (const path of [cache, join(cache, "images"), join(cache, "tools")])
    makeDirectory("cache", path, 0o755);
  openRun(run);
  for (const [name, path] of [
    ["cache", join(cache, "index")],
    ["data", data],
  ] as const) {
    give(name, path);
    assertReached(name, path);
  }
  assertReached("run", run);
}

/** @returns whether it was not there yet. Step by step: what mkdir's own recursion makes of `/proc` never ends. */
function makeDirectory(name: string, path: string, mode: number): boolean {
  const state = statSync(path, { throwIfNoEntry: false });
  if (state?.isDirectory() === true) return false;
  if (state !== undefined) throw unusable(name, path, "is there and is no directory");
  const parent = dirname(path);
  if (parent !== path) makeDirectory(name, parent, 0o755);
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (cause) {
    // Another command made it meanwhile.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return false;
    const full = diskFullFault(cause, path);
    if (full !== null) throw full;
    throw unusable(name, path, `can't be made: ${reasonOf(cause).replace(/, mkdir .*$/u, "")}`);
  }
}

/** Private sources lie in it: nobody but the farm's user looks into it. */
function give(name: Name, path: string): void {
  makeDirectory(name, path, 0o750);
  const { uid, mode } = statSync(path);
  if (uid !== FARM_UID) {
    if (!isEmpty(path)) throw unusable(name, path, "is not the farm's own, and not empty");
    chownSync(path, FARM_UID, FARM_UID);
  }
  if ((mode & 0o7777) !== 0o750) chmodSync(path, 0o750);
}

function openRun(path: string): void {
  makeDirectory("run", path, 0o755);
  const { uid, mode } = statSync(path);
  if (uid !== 0) throw unusable("run", path, "does not belong to root");
  if ((mode & 0o005) === 0o005) return;
  if (!isEmpty(path)) throw unusable("run", path, "is closed to the farm's user, and not empty");
  chmodSync(path, 0o755);
}

/** A fresh file system has a directory of its own. */
function isEmpty(path: string): boolean {
  return readdirSync(path).every((name) => name === "lost+found");
}

function assertReached(name: Name, path: string): void {
  for (let at = dirname(realpathSync(path)); ; at = dirname(at)) {
    const { mode, uid } = statSync(at);
    if ((mode & (uid === FARM_UID ? 0o100 : 0o001)) === 0)
      throw unusable(name, path, `lies below ${at}, where the farm's user may not go`);
    if (at === dirname(at)) return;
  }
}

function unusable(name: string, path: string, reason: string): CreameryError {
  const variable = `CREAMERY_${name.toUpperCase()}_DIR`;
  return new CreameryError("usage", reason, {
    input: path,
    nextStep: `name another by ${variable}, or as directories.${name} in creamery.toml`,
  });
}
