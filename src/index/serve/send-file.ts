import { open } from "node:fs/promises";
import type { ServerResponse } from "node:http";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { hasAlready, type Exchange } from "./exchange.ts";
import type { FileReader, StoredFile } from "../files/file-store.ts";
import { SendBuffers } from "./send-buffers.ts";

/** Of all that is sent by this process. */
const BUFFERS = new SendBuffers();

export interface FileSource {
  readonly kept: () => Promise<StoredFile | null>;
  readonly follow: () => Promise<FileReader>;
  /** Called before bytes are sent. @throws CreameryError when they are too many. */
  readonly count: (bytes: number) => void;
  /** Called before the last of what was asked for is sent: who has it all finds it recorded. */
  readonly whole?: (stored: StoredFile) => void;
  /** Where what stands before us finds a kept file: it sends the bytes, ranges and all. Undefined: we do. */
  readonly handedOver?: ((stored: StoredFile) => string) | undefined;
}

/** Sends a file, from disk or while it comes. @returns null when no whole file was at hand or asked for (HEAD, a range that can't be). */
export async function sendFile(
  exchange: Exchange,
  source: FileSource,
): Promise<{ stored: StoredFile; fetched: boolean } | null> {
  const { request, response, signal } = exchange;
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("content-type", "application/octet-stream");
  response.setHeader("cache-control", "max-age=31536000, immutable");
  const stored = await source.kept();
  if (stored !== null) {
    await sendStored(exchange, stored, source);
    return request.method === "HEAD" ? null : { stored, fetched: false };
  }
  using reader = await source.follow();
  const size = await within(reader.size(), { signal });
  if (request.method === "HEAD") {
    response.writeHead(200, size === null ? {} : { "content-length": size }).end();
    return null;
  }
  if (request.headers.range !== undefined) {
    // A part of what is not here yet: the whole is fetched and verified first.
    const whole = await within(reader.done, { signal });
    await sendStored(exchange, whole, source);
    return { stored: whole, fetched: true };
  }
  let sentBytes = 0;
  let isTold = false;
  for await (const chunk of reader.read(0, signal)) {
    sentBytes += chunk.length;
    if (sentBytes === size) {
      source.whole?.(await reader.done);
      isTold = true;
    }
    // Not before there is something to send: one that comes to nothing can still be told why.
    if (!response.headersSent) writeHead(response, size);
    source.count(chunk.length);
    await write(response, chunk, signal);
  }
  const whole = await reader.done;
  if (!isTold) source.whole?.(whole);
  if (!response.headersSent) writeHead(response, size);
  response.end();
  return { stored: whole, fetched: true };
}

function writeHead(response: ServerResponse, size: number | null): void {
  response.writeHead(200, size === null ? {} : { "content-length": size });
}

async function sendStored(
  { request, response, signal }: Exchange,
  stored: StoredFile,
  { count, whole, handedOver }: Pick<FileSource, "count" | "whole" | "handedOver">,
): Promise<void> {
  if (handedOver !== undefined) {
    response.writeHead(200, { "x-accel-redirect": handedOver(stored), "content-length": 0 }).end();
    return;
  }
  const etag = `"${stored.sha256}"`;
  response.setHeader("etag", etag);
  if (hasAlready(request, etag)) {
    response.writeHead(304).end();
    return;
  }
  // RFC 9110 13.1.5: a part of another file than the client has begun would be of no use to it.
  const isSame = (request.headers["if-range"] ?? etag) === etag;
  const range = isSame ? parseRange(request.headers.range, stored.sizeBytes) : null;
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${stored.sizeBytes}` }).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: stored.sizeBytes };
  const head = {
    "content-length": end - start,
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${stored.sizeBytes}` }),
  };
  response.writeHead(range === null ? 200 : 206, head);
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (end === start) {
    whole?.(stored);
    response.end();
    return;
  }
  const file = await open(stored.path, "r");
  // Two, by turns: one is filled while the other is sent.
  let [filled, free] = [BUFFERS.take(end - start), BUFFERS.take(end - start)];
  let isSent = false;
  try {
    let sent: Promise<void> = Promise.resolve();
    for (let at = start; at < end; [filled, free] = [free, filled]) {
      const buffer = filled;
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0)
        throw new CreameryError("internal", "a kept file is shorter than it was", {
          input: stored.path,
        });
      await sent;
      count(bytesRead);
      if (at + bytesRead === end) whole?.(stored);
      sent = write(response, buffer.subarray(0, bytesRead), signal);
      // Its failure is met at the next turn: until then it must not count as nobody's.
      sent.catch(() => undefined);
      at += bytesRead;
    }
    await sent;
    isSent = true;
  } finally {
    // Of one that broke off the kernel may not have let go yet.
    for (const buffer of [filled, free]) BUFFERS.give(buffer, isSent);
    await file.close();
  }
  response.end();
}

/** Until the kernel has the bytes: the buffer is used again. */
function write(response: ServerResponse, chunk: Buffer, signal: AbortSignal): Promise<void> {
  const written = new Promise<void>((resolve, reject) =>
    response.write(chunk, (error) =>
      error === null || error === undefined ? resolve() : reject(error),
    ),
  );
  return within(written, { signal });
}

/** One range of bytes (RFC 9110 14.1): `start` up to, not with, `end`; null for none or what may be ignored. */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | "unsatisfiable" | null {
  const match = header === undefined ? null : /^bytes=(\d{0,15})-(\d{0,15})$/u.exec(header.trim());
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const [, first = "", last = ""] = match;
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? "unsatisfiable" : { start: sizeBytes - length, end: sizeBytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return null;
  return start >= sizeBytes
    ? "unsatisfiable"
    : { start, end: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}
