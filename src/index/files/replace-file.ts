import { rename, writeFile } from "node:fs/promises";

/** Writes beside and renames: a reader sees the old or the new, never a half. */
export async function replaceFile(path: string, content: Buffer): Promise<void> {
  const beside = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(beside, content);
  await rename(beside, path);
}
