import type { IncomingHttpHeaders } from "node:http";

import { z } from "zod";

import type { Compression, Stored } from "../bucket.ts";

/** What is noted of a blob in its object's own headers, and how a browser is told to show it. */

export const META_SHA256 = "x-amz-meta-creamery-sha256";
export const META_SIZE = "x-amz-meta-creamery-size";
export const META_COMPRESSION = "x-amz-meta-creamery-compression";
/** Milliseconds since 1970; makes a copy of an object onto itself one that a server takes. */
const META_RENEWED = "x-amz-meta-creamery-renewed";

export interface BlobNote {
  readonly sha256: string;
  /** Null where it is that of the object. */
  readonly sizeBytes: number | null;
  readonly compression: Compression;
}

const TYPES: Readonly<Record<string, string>> = {
  txt: "text/plain; charset=utf-8",
  log: "text/plain; charset=utf-8",
  toml: "text/plain; charset=utf-8",
  json: "application/json",
};

/** Nothing that a browser would run: what is in it may be a package's word. */
function contentType(key: string): string {
  return TYPES[/\.([a-z]+)$/u.exec(key)?.[1] ?? ""] ?? "application/octet-stream";
}

/** @param renewedMs of a copy onto itself. */
export function blobHeaders(
  key: string,
  { sha256, sizeBytes, compression }: BlobNote,
  renewedMs?: number,
): Record<string, string> {
  return {
    "content-type": contentType(key),
    ...(compression === "none" ? {} : { "content-encoding": compression }),
    [META_SHA256]: sha256,
    ...(sizeBytes === null ? {} : { [META_SIZE]: String(sizeBytes) }),
    [META_COMPRESSION]: compression,
    ...(renewedMs === undefined ? {} : { [META_RENEWED]: String(renewedMs) }),
  };
}

const Meta = z.object({
  [META_SHA256]: z.string().regex(/^[0-9a-f]{64}$/u),
  [META_SIZE]: z.coerce.number().int().nonnegative().optional(),
  [META_COMPRESSION]: z.enum(["none", "gzip", "zstd"]),
  "content-length": z.coerce.number().int().nonnegative(),
  "last-modified": z.string(),
  etag: z.string().optional(),
});

export interface NotedBlob extends Omit<Stored, "key"> {
  readonly compression: Compression;
  readonly madeMs: number;
  readonly etag: string | null;
}

/** From the answer to a HEAD; null for an object that nobody made through a bucket. */
export function notedBlob(headers: IncomingHttpHeaders): NotedBlob | null {
  const parsed = Meta.safeParse(headers);
  if (!parsed.success) return null;
  const meta = parsed.data;
  const madeMs = Date.parse(meta["last-modified"]);
  if (!Number.isFinite(madeMs)) return null;
  const storedBytes = meta["content-length"];
  return {
    sha256: meta[META_SHA256],
    sizeBytes: meta[META_SIZE] ?? storedBytes,
    storedBytes,
    compression: meta[META_COMPRESSION],
    madeMs,
    etag: meta.etag ?? null,
  };
}
