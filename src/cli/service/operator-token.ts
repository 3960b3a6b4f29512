import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Principals } from "../../model/principals.ts";
import { newToken, readToken } from "../../model/token.ts";

const NAME = "operator-token";

/**
 * The token with which this host's own commands speak to the farm: kept in a file that the farm's user alone reads, which
 * root starts commands as. Made where there is none that is good.
 * @returns the file's path.
 */
export async function operatorToken(
  dataDirectory: string,
  principals: Principals,
  nowMs: number,
): Promise<string> {
  const path = join(dataDirectory, NAME);
  const kept = readToken((await readFile(path, "utf8").catch(() => "")).trim());
  const known = kept === null ? null : await principals.findByHash(kept.sha256);
  if (known !== null && known.revokedAtMs === null) return path;
  const token = newToken("program");
  await principals.create(
    {
      kind: "program",
      name: "this host's own commands",
      scopes: ["operate", "enqueue", "read-private", "admin"],
      projects: null,
      createdAtMs: nowMs,
      createdBy: null,
      expiresAtMs: null,
    },
    token,
  );
  // One name: what a kill leaves of it is written over by the next start.
  const fresh = `${path}.new`;
  await writeFile(fresh, `${token.text}\n`, { mode: 0o600 });
  await rename(fresh, path);
  return path;
}
