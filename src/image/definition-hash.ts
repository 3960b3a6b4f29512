import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Names of a definition's files, in order. */
export async function definitionFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .toSorted();
}

/** Of a definition's files, names and contents: an image says which definition it was made from. */
export async function definitionHash(directory: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of await definitionFiles(directory)) {
    const content = await readFile(join(directory, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}
