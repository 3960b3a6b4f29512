import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { stringify } from "smol-toml";

import { directoriesFrom } from "../../src/launcher/directories.ts";
import { isCommandLine, processesBelow } from "../../test/process-tree.ts";
import { REPOSITORY } from "../run-creamery.ts";
import { freePort } from "../../test/free-port.ts";
import { serveIndexAt, type IndexServer } from "./index-at.ts";

/** Where nginx finds what it is handed. */
export const HANDED = "/handed/";

export interface OurMirror extends IndexServer {
  /** Where it keeps files by content. */
  readonly files: string;
}

/** `creamery index serve`, in directories of its own. As root. @param handing files' bytes to the nginx before it. */
export async function startMirror(
  root: string,
  upstream: string,
  handing: boolean,
): Promise<OurMirror> {
  const place = join(root, handing ? "mirror-handing" : "mirror");
  mkdirSync(place);
  chmodSync(place, 0o755);
  const config = join(place, "creamery.toml");
  const index = handing ? { index: { x_accel: HANDED } } : {};
  writeFileSync(config, stringify({ upstreams: { index: upstream }, ...index }));
  const port = await freePort();
  const directories = {
    CREAMERY_CACHE_DIR: join(place, "cache"),
    CREAMERY_DATA_DIR: join(place, "data"),
    CREAMERY_RUN_DIR: join(place, "run"),
  };
  mkdirSync(directories.CREAMERY_CACHE_DIR);
  // The same programs, and another mirror.
  for (const linked of ["tools", "compile"])
    symlinkSync(
      join(directoriesFrom(process.env).cache, linked),
      join(directories.CREAMERY_CACHE_DIR, linked),
    );
  const serving = await serveIndexAt("/simple/", {
    name: handing ? "mirror that hands files over" : "mirror",
    port,
    argv: [
      join(REPOSITORY, "creamery"),
      "index",
      "serve",
      "--config",
      config,
      "--listen",
      `127.0.0.1:${port}`,
    ],
    env: directories,
  });
  const command = processesBelow(serving.pid).find(isCommandLine);
  if (command === undefined) throw new Error("the mirror's own process is not to be seen");
  return {
    ...serving,
    pid: command.pid,
    files: join(directories.CREAMERY_CACHE_DIR, "index", "files"),
  };
}
