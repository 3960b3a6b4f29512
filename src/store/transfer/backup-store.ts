import { constants, createWriteStream, existsSync } from "node:fs";
import { chmod, open, rename, rm, stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { basename, dirname, join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { isPostgresqlUrl } from "../postgresql-url.ts";
import { userVersion } from "../sqlite/user-version.ts";
import { storeFault } from "../store-fault.ts";
import { exportStore } from "./export-store.ts";
import { noStore } from "./transfer-database.ts";

const BUSY_MS = 10_000;

export interface BackedUp {
  /** `sqlite`: a store that can be opened as it is; `archive`: what `importStore` takes. */
  readonly kind: "sqlite" | "archive";
  readonly sizeBytes: number;
}

/**
 * Copies a store to a file while the farm works on: of SQLite a file of its own, compact and proven whole; of PostgreSQL an
 * archive (export-store.ts). On the disk and for its owner alone when it takes its place; what was there before is replaced.
 * @throws CreameryError `store`, `disk-full`; `signal`'s reason.
 */
export async function backupStore(
  location: string,
  path: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<BackedUp> {
  const part = join(dirname(path), `.${basename(path)}.part`);
  try {
    await rm(part, { force: true });
    const kind = isPostgresqlUrl(location) ? "archive" : "sqlite";
    if (kind === "archive") await archiveInto(location, part, signal);
    else copyInto(location, part);
    signal.throwIfAborted();
    await chmod(part, 0o600);
    await synced(part, constants.O_RDONLY);
    const { size: sizeBytes } = await stat(part);
    await rename(part, path);
    await synced(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    return { kind, sizeBytes };
  } catch (thrown) {
    await rm(part, { force: true });
    signal.throwIfAborted();
    throw storeFault(thrown, path);
  }
}

async function archiveInto(location: string, part: string, signal: AbortSignal): Promise<void> {
  await exportStore(location, createWriteStream(part, { mode: 0o600, flags: "wx" }), { signal });
}

/** One read of one instant: writers don't wait, and the copy is never begun anew because of them. */
function copyInto(location: string, part: string): void {
  if (!existsSync(location)) throw noStore(location);
  let schema: number;
  {
    using file = new DatabaseSync(location, { readOnly: true, timeout: BUSY_MS });
    schema = userVersion(file);
    file.prepare("vacuum into ?").run(part);
  }
  using copy = new DatabaseSync(part, { readOnly: true });
  const [sound] = copy.prepare("pragma integrity_check(1)").all();
  const broken = copy.prepare("pragma foreign_key_check").all();
  if (sound?.["integrity_check"] === "ok" && broken.length === 0 && userVersion(copy) === schema)
    return;
  throw new CreameryError("store", "can't be copied: it is damaged", {
    input: location,
    nextStep: "see what is wrong with `./creamery store check`",
  });
}

async function synced(path: string, flags: number): Promise<void> {
  await using handle = await open(path, flags);
  await handle.sync();
}
