import { z } from "@hono/zod-openapi";

import { Refused } from "./answers.ts";

export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 200;

/** What every list takes. */
export const PAGE = {
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_LIMIT)
    .default(DEFAULT_LIMIT)
    .openapi({ type: "integer", description: "So many at most" }),
  cursor: z
    .string()
    .max(2000)
    .optional()
    .openapi({ description: "`next` of the page before, as it was given" }),
};

export const NEXT = z
  .string()
  .nullable()
  .describe("`cursor` of the next page; null on the last. Says nothing to anybody but the farm.");

/** A place in one kind of list, as text that nobody is to read. It names the last that was shown, so that what is added moves nothing. */
export function cursorOf(list: string, last: string): string {
  return Buffer.from(JSON.stringify([list, last])).toString("base64url");
}

const Cursor = z.tuple([z.string(), z.string().max(1500)]);

/** @throws Refused 400 for what is no cursor of this list. */
export function readCursor(list: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const bytes = /^[\w-]+$/u.test(text) ? Buffer.from(text, "base64url") : Buffer.alloc(0);
  try {
    const [named, last] = Cursor.parse(JSON.parse(bytes.toString()));
    // One spelling each: what is no cursor of ours is told apart from what nearly is.
    if (named === list && cursorOf(list, last) === text) return last;
  } catch {
    // Told below.
  }
  throw new Refused({
    status: 400,
    detail: "query.cursor: is no cursor of this list: begin again without one",
  });
}

/** The same where the place is a number. */
export function readNumberCursor(list: string, text: string | undefined): number | undefined {
  const last = readCursor(list, text);
  if (last === undefined) return undefined;
  if (/^\d{1,9}$/u.test(last)) return Number(last);
  throw new Refused({ status: 400, detail: "query.cursor: is no cursor of this list" });
}

/** A page out of one more than its limit. */
export function pageOf<Item>(
  list: string,
  found: readonly Item[],
  limit: number,
  placeOf: (item: Item) => string,
): { readonly items: readonly Item[]; readonly next: string | null } {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return {
    items,
    next: found.length > limit && last !== undefined ? cursorOf(list, placeOf(last)) : null,
  };
}
