import { readdir, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { NOTE_SUFFIX } from "./bucket-key.ts";
import type { LeftoverOptions, Leftovers } from "./bucket.ts";

/**
 * Content without a note: of a process that was ended between the two links that make a key, or between the two steps that
 * remove one. Nobody can read it, and only whoever makes the same key again would replace it.
 * @param lock of a key, against whoever makes it at this instant.
 */
export async function collectDirectoryLeftovers(
  root: string,
  { begunBeforeMs, dryRun, signal }: LeftoverOptions,
  lock: (key: string) => Promise<AsyncDisposable>,
): Promise<Leftovers> {
  const found = { count: 0, bytes: 0 };
  const visit = async (prefix: string): Promise<void> => {
    signal.throwIfAborted();
    const entries = await readdir(join(root, prefix), { withFileTypes: true }).catch(() => []);
    for (const entry of entries.filter(({ name }) => !name.startsWith("."))) {
      if (entry.isDirectory()) {
        await visit(`${prefix}${entry.name}/`);
        // An attempt's directory that holds nothing any more; those at the top stay.
        if (prefix !== "" && !dryRun)
          await rmdir(join(root, prefix, entry.name)).catch(() => undefined);
      } else if (!entry.name.endsWith(NOTE_SUFFIX)) await visitFile(`${prefix}${entry.name}`);
    }
  };
  const visitFile = async (name: string): Promise<void> => {
    if (await isNoted(root, name)) return;
    await using _lock = await lock(name);
    const state = await stat(join(root, name)).catch(() => null);
    // ctime: a link that was made now is of a file that was written now, and changes that alone.
    if (state === null || state.ctimeMs >= begunBeforeMs || (await isNoted(root, name))) return;
    if (!dryRun) await rm(join(root, name), { force: true });
    found.count++;
    found.bytes += state.size;
  };
  await visit("");
  return found;
}

/** Whether any key may have its content in this file. */
async function isNoted(root: string, name: string): Promise<boolean> {
  for (const key of [name, name.replace(/\.(?:gz|zst)$/u, "")])
    if ((await stat(join(root, `${key}${NOTE_SUFFIX}`)).catch(() => null)) !== null) return true;
  return false;
}
