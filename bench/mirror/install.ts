import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import type { IndexAt } from "./index-at.ts";

/** Seconds that `uv pip install` takes into an empty place, with no cache. @throws Error when not all was installed. */
export async function installSeconds(
  uv: string,
  root: string,
  { origin, indexPath }: IndexAt,
  wanted: readonly string[],
): Promise<number> {
  const place = mkdtempSync(join(root, "installed-"));
  const argv = ["pip", "install", "--quiet", "--no-cache", "--no-config", "--no-deps"].concat(
    ["--python-version", "3.13", "--only-binary", ":all:", "--target", place],
    ["--default-index", `${origin}${indexPath}`],
    wanted,
  );
  const env = { PATH: process.env["PATH"], HOME: root };
  try {
    const began = performance.now();
    // Not waited for in place: what the servers ask their upstream for is this process's to answer.
    await promisify(execFile)(uv, argv, { env, cwd: root });
    const seconds = (performance.now() - began) / 1000;
    const installed = readdirSync(place).filter((name) => name.endsWith(".dist-info"));
    if (installed.length !== wanted.length)
      throw new Error(`${installed.length} of ${wanted.length} were installed`);
    return seconds;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
