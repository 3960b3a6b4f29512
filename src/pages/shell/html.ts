import { html, raw } from "hono/html";
import type { HtmlEscapedString } from "hono/utils/html";

/**
 * Markup that is safe to send. It comes of the `html` tag alone, which escapes what stands in texts and in quoted attributes:
 * every attribute is quoted, and no text of a package's becomes the name of an element or attribute.
 */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

export { html };

export const NOTHING: Html = raw("");

/** What was made into markup before, by the tag: put together once more. */
export async function markupOf(part: Html): Promise<string> {
  return String(await part);
}
