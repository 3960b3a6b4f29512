import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { Directories } from "../../launcher/directories.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import { POSTGRESQL_URL } from "../../model/config/store-table.ts";

/**
 * Where this farm's store is: PostgreSQL where creamery.toml says so, else SQLite below the data directory. What comes of
 * it may hold a password, and is shown to nobody.
 * @returns a path, or `postgres://user:password@host/name`.
 * @throws CreameryError `configuration-file` for a file of a URL that can't be read by the farm's user, or holds none.
 */
export async function storeLocation(
  { store }: Pick<FarmConfig, "store">,
  { data }: Pick<Directories, "data">,
): Promise<string> {
  if (store.url !== undefined) return store.url;
  if (store.url_file === undefined) return join(data, "store.sqlite");
  const wrong = (reason: string, cause?: unknown) =>
    new CreameryError("configuration-file", `store.url_file: ${reason}`, {
      input: store.url_file ?? "",
      nextStep: "see docs/store.md",
      cause,
    });
  let text: string;
  try {
    text = (await readFile(store.url_file, "utf8")).trim();
  } catch (cause) {
    throw wrong(
      `can't be read by the farm's own user: ${reasonOf(cause).replace(/, .*$/u, "")}`,
      cause,
    );
  }
  if (!POSTGRESQL_URL.test(text)) throw wrong("holds no address of PostgreSQL");
  return text;
}
