import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Of a definition's files, names and bytes: hexadecimal sha256. */
export async function definitionHash(directory: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(directory)).toSorted()) {
    const content = await readFile(join(directory, name));
    hash.update(`${name}\n${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}
