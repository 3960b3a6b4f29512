import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { isName } from "../../python/names.ts";

const MAX_NAMES = 500_000;
const PAGE_SUFFIX = ".json";

/** Projects of which a page is kept below, in no order. @param directory of one upstream's pages. */
export async function heldNames(directory: string): Promise<string[]> {
  const names: string[] = [];
  const beginnings = await readdir(directory).catch(() => []);
  for (const beginning of beginnings) {
    const kept = await readdir(join(directory, beginning)).catch(() => []);
    for (const file of kept) {
      if (!file.endsWith(PAGE_SUFFIX)) continue;
      const name = file.slice(0, -PAGE_SUFFIX.length);
      if (isName(name)) names.push(name);
      if (names.length >= MAX_NAMES) return names;
    }
  }
  return names;
}
