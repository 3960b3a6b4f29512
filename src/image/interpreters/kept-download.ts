import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { sha256Of } from "../tree-hash.ts";

export interface WantedDownload {
  readonly directory: string;
  readonly sha256: string;
  /** As a person knows it. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Puts the file at a path that is not there yet. */
  readonly fetch: (path: string) => Promise<void>;
}

/**
 * A pinned file: as it was kept, else fetched now and kept. Its bytes are read and held against the pin each time.
 * @returns its path.
 * @throws CreameryError `upstream-hash` for another file, and what `fetch` throws.
 */
export async function keptDownload(wanted: WantedDownload): Promise<string> {
  const { directory, sha256, what, signal, fetch } = wanted;
  await mkdir(directory, { recursive: true, mode: 0o755 });
  const kept = join(directory, sha256);
  // What a disk did to a file is mended by fetching it again.
  if ((await sha256Of(kept).catch(() => null)) === sha256) return kept;
  const partial = join(directory, `.partial-${process.pid}-${sha256}`);
  try {
    await rm(partial, { force: true });
    await fetch(partial);
    signal.throwIfAborted();
    const found = await sha256Of(partial);
    if (found !== sha256)
      throw new CreameryError(
        "upstream-hash",
        `what came has sha256 ${found}, where image.toml pins ${sha256}`,
        {
          input: what,
          nextStep:
            "check where this host's clients fetch from; only if the new file is known to be good, pin it in image.toml",
        },
      );
    await rename(partial, kept);
    return kept;
  } finally {
    await rm(partial, { force: true });
  }
}

/** Removes what no definition pins any more, and what a killed build left. */
export async function pruneDownloads(
  directory: string,
  pinned: ReadonlySet<string>,
): Promise<void> {
  for (const name of await readdir(directory).catch(() => []))
    if (!pinned.has(name)) await rm(join(directory, name), { force: true });
}
