import { Readable } from "node:stream";

import type { OpenedBlob } from "../../bucket/bucket.ts";
import { parseRange } from "../../index/serve/send-file.ts";
import { problem } from "../problem.ts";
import type { AskedContext } from "./api-deps.ts";
import { cachingHeaders, matches } from "./conditional.ts";

/** Whatever a guest wrote is shown as text or saved, and never obeyed. */
export const HARMLESS = { "content-security-policy": "default-src 'none'; sandbox" };

/**
 * What is kept of an attempt, unpacked, whole or one range of it, with its sha256 as its ETag. A range is found by reading
 * what stands before it: what is kept is packed as a whole, and bounded.
 */
export function sendBlob(
  context: AskedContext,
  blob: OpenedBlob,
  headers: Readonly<Record<string, string>>,
): Response {
  const shared = {
    ...cachingHeaders(context, "max-age=3600"),
    ...HARMLESS,
    etag: `"${blob.sha256}"`,
    "accept-ranges": "bytes",
  };
  if (matches(context.req.header("if-none-match"), blob.sha256))
    return new Response(null, { status: 304, headers: shared });
  const condition = context.req.header("if-range");
  const wanted =
    condition === undefined || condition === shared.etag ? context.req.header("range") : undefined;
  const range = parseRange(wanted, blob.sizeBytes);
  if (range === "unsatisfiable")
    return problem({
      status: 416,
      detail: `it has ${blob.sizeBytes} bytes`,
      headers: { "content-range": `bytes */${blob.sizeBytes}` },
    });
  const { start, end } = range ?? { start: 0, end: blob.sizeBytes };
  const head = {
    ...shared,
    ...headers,
    "content-length": String(end - start),
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${blob.sizeBytes}` }),
  };
  const status = range === null ? 200 : 206;
  if (context.req.method === "HEAD") return new Response(null, { status, headers: head });
  const content = blob.content(context.req.raw.signal);
  const part =
    range === null ? content : Readable.from(sliceOf(content, start, end), { objectMode: false });
  return new Response(Readable.toWeb(part), { status, headers: head });
}

/** Ends when it has what it wants: what is behind it is neither read nor checked. */
async function* sliceOf(content: Readable, start: number, end: number): AsyncGenerator<Buffer> {
  let at = 0;
  for await (const chunk of content) {
    if (!Buffer.isBuffer(chunk)) continue;
    const from = Math.max(0, start - at);
    const to = Math.min(chunk.length, end - at);
    at += chunk.length;
    if (to > from) yield chunk.subarray(from, to);
    if (at >= end) return;
  }
}
