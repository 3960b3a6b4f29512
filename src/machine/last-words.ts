import { clip, printableLine } from "../base/bounded-text.ts";

/** What a guest's processes said last, as one line for a fault's reason. */
export function lastWords(detail: string): string {
  const said = clip(printableLine(detail.trim().split("\n").slice(-3).join(" ")), 500);
  return said === "" ? "it said nothing" : said;
}
