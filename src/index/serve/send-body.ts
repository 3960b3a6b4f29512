import { acceptsGzip, hasAlready, type Exchange } from "./exchange.ts";
import type { Rendered } from "../page/rendered-pages.ts";

const LEAST_ZIPPED_BYTES = 1024;

/** Whether this client is sent this body packed. */
export function isSentZipped(request: Exchange["request"], bytes: number): boolean {
  return acceptsGzip(request) && bytes > LEAST_ZIPPED_BYTES;
}

/** @param count is told of the bytes before they are sent. @throws what `count` throws, when they are too many. */
export function sendBody(
  { request, response }: Exchange,
  body: Buffer,
  contentType: string,
  count: (bytes: number) => void,
): void {
  response.writeHead(200, { "content-type": contentType, "content-length": body.length });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  count(body.length);
  response.end(body);
}

/** The same of what has a tag, unless the client has it already; packed where it takes that. */
export async function sendTagged(
  exchange: Exchange,
  { length, etag, body, zipped }: Rendered,
  contentType: string,
  count: (bytes: number) => void,
): Promise<void> {
  const { request, response } = exchange;
  response.setHeader("etag", etag);
  response.setHeader("vary", "Accept, Accept-Encoding");
  if (hasAlready(request, etag)) {
    response.writeHead(304).end();
    return;
  }
  const isZipped = isSentZipped(request, length);
  const sent = isZipped ? await zipped() : body();
  if (isZipped) response.setHeader("content-encoding", "gzip");
  sendBody(exchange, sent, contentType, count);
}
