import { z } from "zod";

import { KeptFile } from "../files/kept-file.ts";

/**
 * What a mirror saw change in a project's page between two looks at it. Indexes say when a file was uploaded, and of nothing
 * else when it happened: a yank or a deletion lies somewhere between the look that did not have it and the one that did.
 */

export const MAX_STATUS_CHARS = 100;

const when = {
  /** The last look before it, ms since 1970: it had not happened then. */
  afterMs: z.number(),
  /** The first look that saw it: from here on it counts. */
  byMs: z.number(),
};
const name = z.string().max(256);
const status = z.string().max(MAX_STATUS_CHARS);
const key = z.string().max(80);

const Change = z.discriminatedUnion("kind", [
  /** A file is listed no more. */
  z.strictObject({ kind: z.literal("gone"), ...when, file: KeptFile }),
  /** One that was gone is listed again. */
  z.strictObject({ kind: z.literal("back"), ...when, filename: name, key }),
  /** A file was yanked, or is so no more, or for another reason. */
  z.strictObject({
    kind: z.literal("yank"),
    ...when,
    filename: name,
    key,
    /** Before it: the reason, empty for none; null for not at all. */
    was: z.string().nullable(),
    is: z.string().nullable(),
  }),
  /** PEP 792. */
  z.strictObject({ kind: z.literal("status"), ...when, was: status, is: status }),
]);
export type Change = z.infer<typeof Change>;

export const PageHistory = z.strictObject({
  schema: z.literal(1),
  /** Oldest first. */
  changes: z.array(Change).max(10_000),
  /** More was seen than is kept: nothing is known of what was before this, ms since 1970; null when all is kept. */
  lostBeforeMs: z.number().nullable(),
});
export type PageHistory = z.infer<typeof PageHistory>;

/** Files that were listed, and at the last look were so no more. */
export function goneFiles(history: PageHistory | undefined): ReadonlySet<string> {
  const gone = new Set<string>();
  for (const change of history?.changes ?? []) {
    if (change.kind === "gone") gone.add(idOf(change.file));
    else if (change.kind === "back") gone.delete(idOf(change));
  }
  return gone;
}

/** One name may be of other bytes later. */
export function idOf({ filename, key: of }: Pick<KeptFile, "filename" | "key">): string {
  return `${of}/${filename}`;
}
