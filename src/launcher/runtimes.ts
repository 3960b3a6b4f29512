import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import type { Directories } from "./directories.ts";
import type { OciRuntime } from "./protocol.ts";

/**
 * The runtime's program: as the environment names it, else (gVisor) what set-up brought to `<cache>/tools/runsc-*`,
 * else by its name.
 */
export function runtimeCommand(
  runtime: OciRuntime,
  env: NodeJS.ProcessEnv,
  { cache }: Directories,
): string {
  if (runtime === "container") return env["CREAMERY_RUNC"] ?? "runc";
  const named = env["CREAMERY_RUNSC"];
  if (named !== undefined && named !== "") return named;
  const tools = join(cache, "tools");
  const brought = existsSync(tools)
    ? readdirSync(tools).filter((name) => name.startsWith("runsc-"))
    : [];
  const found = brought
    .map((name) => join(tools, name, "runsc"))
    .filter((path) => existsSync(path));
  return found.toSorted().at(-1) ?? "runsc";
}
