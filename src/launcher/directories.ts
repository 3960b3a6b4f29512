import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";

/** Numeric user and group of the farm's own unprivileged process; needs no entry in passwd. */
export const FARM_UID = 64123;

export interface Directories {
  readonly cache: string;
  readonly data: string;
  readonly run: string;
}

/** From the environment that `./creamery` sets, else the defaults of a Debian host. */
export function directoriesFrom(env: NodeJS.ProcessEnv): Directories {
  return {
    cache: env["CREAMERY_CACHE_DIR"] ?? "/var/cache/creamery",
    data: env["CREAMERY_DATA_DIR"] ?? "/var/lib/creamery",
    run: env["CREAMERY_RUN_DIR"] ?? "/run/creamery",
  };
}

/** Makes them: images and tools are root's, index and data the farm's own. Synchronous: it is on the way to a start. */
export function makeDirectories({ cache, data, run }: Directories): void {
  for (const path of [cache, join(cache, "images"), join(cache, "tools"), run]) {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }
  chmodSync(run, 0o755);
  for (const path of [join(cache, "index"), data]) {
    mkdirSync(path, { recursive: true, mode: 0o750 });
    chownSync(path, FARM_UID, FARM_UID);
    // Private sources lie there: one that was there already is no more open than one that is made.
    chmodSync(path, 0o750);
  }
}
