import type { IncomingMessage, ServerResponse } from "node:http";

import { CreameryError } from "../../base/errors.ts";
import { printableLine } from "../../base/bounded-text.ts";

/** One request and its answer. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Without the query. */
  readonly path: string;
  /** Aborted when the client goes away before its answer is whole, or the endpoint closes. */
  readonly signal: AbortSignal;
}

/** Aborts when the client goes away before its answer is whole. */
export function watchClient(
  request: IncomingMessage,
  response: ServerResponse,
): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const onClose = (): void => {
    if (!response.writableFinished)
      controller.abort(new CreameryError("interrupted", "the client went away"));
  };
  response.once("close", onClose);
  // An answer whose turn on the connection has not come hears nothing of the connection's end.
  const { socket } = request;
  socket.once("close", onClose);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      response.removeListener("close", onClose);
      socket.removeListener("close", onClose);
    },
  };
}

/** Of `Warning`: upstream could not be asked just now (RFC 7234, which said it last). */
export const STALE = '110 - "Response is Stale"';

export function sendText(response: ServerResponse, status: number, line: string): void {
  const body = Buffer.from(`${printableLine(line)}\n`);
  response
    .writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "content-length": body.length,
    })
    .end(body);
}

export function acceptsGzip(request: IncomingMessage): boolean {
  const accepted = request.headers["accept-encoding"];
  return typeof accepted === "string" && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/iu.test(accepted);
}

/** Whether the client has this already (If-None-Match). */
export function hasAlready(request: IncomingMessage, etag: string): boolean {
  const tags = request.headers["if-none-match"]?.split(",") ?? [];
  return tags.some((tag) => tag.trim().replace(/^W\//u, "") === etag);
}

/** A segment of an address; what can't be decoded is no name of anything. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "\0";
  }
}
