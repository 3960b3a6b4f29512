import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** Files below a directory that hold one of these texts, as they are or compressed by gzip, their own names included. */
export function filesWith(
  needles: readonly string[],
  directory: string,
  changedSinceMs = 0,
): string[] {
  return pathsBelow(directory).filter((path) => {
    const content = readChanged(path, changedSinceMs);
    if (content === null) return false;
    const texts = [Buffer.from(path), content, gunzipped(content)];
    return texts.some((text) => needles.some((needle) => text.includes(needle)));
  });
}

/** Of what is no directory. What goes while it is looked at was never there. */
function pathsBelow(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? pathsBelow(path) : [path];
    });
  } catch {
    return [];
  }
}

function readChanged(path: string, sinceMs: number): Buffer | null {
  try {
    const state = statSync(path);
    return state.isFile() && state.ctimeMs >= sinceMs ? readFileSync(path) : null;
  } catch {
    return null;
  }
}

function gunzipped(content: Buffer): Buffer {
  if (content[0] !== 0x1f || content[1] !== 0x8b) return Buffer.alloc(0);
  try {
    return gunzipSync(content);
  } catch {
    return Buffer.alloc(0);
  }
}

/** Processes of this host whose command or environment holds one of these texts. */
export function processesWith(needles: readonly string[]): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .filter((path) => {
      try {
        const content = readFileSync(path);
        return needles.some((needle) => content.includes(needle));
      } catch {
        return false;
      }
    });
}
