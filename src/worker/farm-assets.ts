import { z } from "zod";

/** What worker and farm say to each other of what an attempt leaves in the bucket. */

/** How the content is kept in the bucket; on the way it is as it was given. */
export const COMPRESSION_HEADER = "x-creamery-compression";
/** RFC 9530: `sha-256=:...:`, of the content as it was given. */
export const DIGEST_HEADER = "repr-digest";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);
const sizeBytes = z.int().nonnegative();

export const Compression = z.enum(["none", "gzip", "zstd"]);

export const AssetFacts = z.strictObject({
  key: z.string(),
  sha256,
  sizeBytes,
  storedBytes: sizeBytes,
  compression: Compression,
  /** Where a person finds it on the farm. */
  location: z.string(),
});
export type AssetFacts = z.infer<typeof AssetFacts>;

export const AssetList = z.strictObject({ keys: z.array(z.string()) });

export function digestOf(hex: string): string {
  return `sha-256=:${Buffer.from(hex, "hex").toString("base64")}:`;
}

/** @returns hexadecimal; null when the header names no sha256. */
export function parseDigest(header: string | undefined): string | null {
  const base64 = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/u.exec(header ?? "")?.[1];
  return base64 === undefined ? null : Buffer.from(base64, "base64").toString("hex");
}

const MIB = 1024 ** 2;

/** All that an attempt may leave, each with the most that it may be, in bytes. */
const ASSETS: ReadonlyMap<string, number> = new Map([
  ["log.txt", 1024 * MIB],
  ["report.json", 256 * MIB],
  ["pylock.toml", 16 * MIB],
  ["pylock.build.toml", 16 * MIB],
  ["record.json", 256 * MIB],
  ["again.json", 16 * MIB],
]);
const MAX_WHEEL_BYTES = 1024 * MIB;
/** A person's own archive. */
export const MAX_SOURCE_BYTES = 1024 * MIB;

/** The most that an asset of this name may be, in bytes; null where an attempt leaves nothing of that name. */
export function maxAssetBytes(name: string): number | null {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,250}\.whl$/u.test(name)) return MAX_WHEEL_BYTES;
  return ASSETS.get(name) ?? null;
}

export type FarmKey =
  | { readonly kind: "asset"; readonly attemptId: string; readonly name: string }
  | { readonly kind: "source"; readonly sha256: string };

/** A bucket's key as one that workers may have; null for any other. */
export function parseFarmKey(key: string): FarmKey | null {
  const [area, first = "", name, ...more] = key.split("/");
  if (more.length > 0) return null;
  if (area === "sources" && name === undefined && /^[0-9a-f]{64}$/u.test(first))
    return { kind: "source", sha256: first };
  if (area !== "attempts" || name === undefined || maxAssetBytes(name) === null) return null;
  return /^[0-9a-z][0-9a-z-]{0,63}$/u.test(first)
    ? { kind: "asset", attemptId: first, name }
    : null;
}

/** Where the farm's API has it. */
export function farmPath(key: FarmKey): string {
  return key.kind === "source"
    ? `worker/sources/${key.sha256}`
    : `worker/attempts/${key.attemptId}/assets/${encodeURIComponent(key.name)}`;
}
