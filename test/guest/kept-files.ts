import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { directoriesFrom } from "../../src/launcher/directories.ts";
import type { DistFile } from "../upstream/upstream.ts";

/** Of the host's cache, which the real command uses. */
export const INDEX_DIRECTORY = join(directoriesFrom(process.env).cache, "index");

/** Files of the upstream that the index keeps, or has begun to. */
export function keptOf(files: readonly DistFile[]): string[] {
  const partial = join(INDEX_DIRECTORY, "files/partial");
  return files.flatMap(({ content }) => {
    const sha256 = sha256Of(content);
    const whole = join(INDEX_DIRECTORY, "files/sha256", sha256.slice(0, 2), sha256);
    return [
      ...(existsSync(whole) ? [whole] : []),
      ...readdirSync(partial)
        .filter((name) => name.startsWith(sha256))
        .map((name) => join(partial, name)),
    ];
  });
}

export function sha256Of(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}

/** A lock with another first hash than it had, whatever that was. */
export function wrongHashIn(lock: string): string {
  const wrong = lock.replace(/(?<=sha256 = ")[0-9a-f]/u, (digit) => (digit === "0" ? "1" : "0"));
  if (wrong === lock) throw new Error("the lock has no hash");
  return wrong;
}
