import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Of a definition's files, names and contents: an image says which definition it was made from. */
export async function definitionHash(directory: string): Promise<string> {
  const hash = createHash("sha256");
  const entries = await readdir(directory, { withFileTypes: true });
  for (const name of entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .toSorted()) {
    const content = await readFile(join(directory, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}
