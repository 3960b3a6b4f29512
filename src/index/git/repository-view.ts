import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { RecordedRepository } from "../record/attempt-record.ts";
import { missingOf, type BareRepository } from "./bare-repository.ts";

/**
 * A bare repository that has a mirror's objects and references of its own: those that were recorded and are still to be had.
 * @param path where nothing is yet. @returns it.
 */
export async function makeView(
  path: string,
  mirror: BareRepository,
  { references, head }: Pick<RecordedRepository, "references" | "head">,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(join(path, "objects", "info"), { recursive: true });
  await mkdir(join(path, "refs"));
  await writeFile(join(path, "objects", "info", "alternates"), `${join(mirror.path, "objects")}\n`);
  await writeFile(join(path, "config"), "[core]\n\trepositoryformatversion = 0\n\tbare = true\n");
  await writeFile(join(path, "HEAD"), `ref: ${head ?? "refs/heads/main"}\n`);
  const missing = new Set(
    await missingOf(
      mirror,
      references.map(({ hash }) => hash),
      signal,
    ),
  );
  const lines = references
    .filter(({ hash, name }) => !missing.has(hash) && isReferenceName(name))
    .toSorted((left, right) => Buffer.compare(Buffer.from(left.name), Buffer.from(right.name)))
    .map(({ name, hash }) => `${hash} ${name}\n`);
  await writeFile(join(path, "packed-refs"), lines.join(""));
  return path;
}

/** As git has listed it; a record lay elsewhere since. */
function isReferenceName(name: string): boolean {
  return (
    /^refs\/(?:heads|tags)\/[^\s~^:?*[\\\u0000-\u001f\u007f]+$/u.test(name) && !name.includes("..")
  );
}
