import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

/** What `up` leaves for the commands of its host: where it answers, and the file of a token that operators use. */
export const FarmAddressFile = z.object({
  schema: z.literal(1),
  url: z.string().max(2048),
  tokenFile: z.string().max(4096),
  pid: z.number().int().positive(),
});
export type FarmAddressFile = z.infer<typeof FarmAddressFile>;

const NAME = "farm.json";

export async function writeFarmAddress(
  dataDirectory: string,
  address: Omit<FarmAddressFile, "schema">,
): Promise<AsyncDisposable> {
  const path = join(dataDirectory, NAME);
  // One name: what a kill leaves of it is written over by the next start.
  const fresh = `${path}.new`;
  await mkdir(dataDirectory, { recursive: true });
  await writeFile(fresh, `${JSON.stringify({ schema: 1, ...address })}\n`, { mode: 0o600 });
  await rename(fresh, path);
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** @returns null where no farm says that it runs on this host. */
export async function readFarmAddressFile(dataDirectory: string): Promise<FarmAddressFile | null> {
  const text = await readFile(join(dataDirectory, NAME), "utf8").catch(() => null);
  if (text === null) return null;
  try {
    return FarmAddressFile.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
