import { createHash } from "node:crypto";

import type { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import type { WatchState } from "./watcher.ts";

/**
 * One part of a watcher's state.
 * @returns null when there is none.
 * @throws CreameryError `store` when it can't be read: to begin anew instead would lose events unheard.
 */
export function readPart<Part>(
  watcher: string,
  state: WatchState,
  key: string,
  schema: z.ZodType<Part>,
): Part | null {
  const text = state.get(key);
  if (text === undefined) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CreameryError("store", `${key}: what was kept of it can't be read`, {
      input: watcher,
      nextStep: "remove this part from the store: it then begins anew with the present",
      cause,
    });
  }
}

/** Of an address, for a watcher's name: another index begins anew. */
export function shortDigest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 8);
}
