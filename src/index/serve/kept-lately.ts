import type { Catalogue } from "../catalogue.ts";
import type { StoredFile } from "../files/file-store.ts";

const MOMENT_MS = 1000;
const MAX_REMEMBERED = 1000;

/**
 * What was seen to be kept a moment ago is taken to be kept: of a file that many want at once the disk is asked once. For who hands
 * files over, since the one that sends them looks for itself.
 * @param now milliseconds.
 */
export function keptLately(
  kept: Catalogue["kept"],
  now: () => number = () => performance.now(),
): Catalogue["kept"] {
  const lately = new Map<string, { readonly stored: StoredFile; readonly untilMs: number }>();
  return async (file) => {
    const known = lately.get(file.key);
    if (known !== undefined && now() < known.untilMs) return known.stored;
    const stored = await kept(file);
    if (lately.size >= MAX_REMEMBERED) lately.clear();
    if (stored === null) lately.delete(file.key);
    else lately.set(file.key, { stored, untilMs: now() + MOMENT_MS });
    return stored;
  };
}
