import { createHash } from "node:crypto";

import { z } from "zod";

import { isFilename } from "../files/kept-file.ts";
import { readableUploadTime } from "../past/instant.ts";

/** One file of a project's page, with whatever an index says of it. */

const Metadata = z
  .union([z.boolean(), z.record(z.string(), z.string())])
  .nullish()
  .catch(undefined);

/** Absolute, too: no host of the farm takes a longer one of another. */
const MAX_URL_CHARS = 8000;

/** What can't be read as it should be counts as not said where nothing hangs on it; else there is no such file. */
export const UpstreamFile = z.looseObject({
  filename: z.string().max(1000),
  url: z.string().max(MAX_URL_CHARS),
  hashes: z.record(z.string(), z.string().nullable()).nullish(),
  "requires-python": z.string().nullish(),
  size: z.number().int().nonnegative().nullish().catch(undefined),
  "upload-time": z.string().nullish().catch(undefined),
  yanked: z.union([z.boolean(), z.string()]).nullish(),
  // The three names that this had (PEP 714).
  "core-metadata": Metadata,
  "dist-info-metadata": Metadata,
  "data-dist-info-metadata": Metadata,
});
export type UpstreamFile = z.infer<typeof UpstreamFile>;

export interface IndexFile {
  readonly filename: string;
  /** Where upstream has it, absolute. */
  readonly url: string;
  /** Hexadecimal; null where upstream says none. */
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
  readonly requiresPython: string | null;
  /** The reason, empty when none was given; null when it is not yanked. */
  readonly yanked: string | null;
  /** As upstream says it where that is ISO 8601 in UTC, else written so; null where it says none. */
  readonly uploadTime: string | null;
  /** Upstream serves `<url>.metadata` (PEP 658), with this sha256 where it says one. */
  readonly upstreamMetadata: { readonly sha256: string | null } | null;
  /** What names the file in our addresses: its sha256, or `u-` and the sha256 of its address. */
  readonly key: string;
  /** All that upstream said of it, in the shape that clients demand: what they can't read is left out. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** @param base against which its address is resolved. @returns null where it is no file that can be served. */
export function asIndexFile(file: UpstreamFile, base: string): IndexFile | null {
  const url = URL.parse(file.url, base);
  // A name with a slash would be another path; one that starts with a dot, another directory.
  if (url === null || !/^https?:$/u.test(url.protocol) || !isFilename(file.filename)) return null;
  url.hash = "";
  if (url.href.length > MAX_URL_CHARS) return null;
  const hashes = readableHashes(file.hashes ?? {});
  if (hashes === null) return null;
  const sha256 = hashes["sha256"]?.toLowerCase() ?? null;
  const said = file["upload-time"] ?? null;
  const uploadTime = said === null ? null : readableUploadTime(said);
  return {
    filename: file.filename,
    url: url.href,
    sha256,
    sizeBytes: file.size ?? null,
    requiresPython: file["requires-python"] ?? null,
    yanked: typeof file.yanked === "string" ? file.yanked : file.yanked === true ? "" : null,
    uploadTime,
    upstreamMetadata: metadataOf(file),
    key: sha256 ?? `u-${createHash("sha256").update(url.href).digest("hex")}`,
    raw: readable(file, { hashes, uploadTime, base }),
  };
}

/** Of hexadecimal digits. */
const HASH_CHARS = new Map([
  ["md5", 32],
  ["sha1", 40],
  ["sha224", 56],
  ["sha256", 64],
  ["sha384", 96],
  ["sha512", 128],
  // As uv has it.
  ["blake2b", 64],
]);

/** Null where one that can be none is all that there is to hold the file against: that is no reason to take it unseen. */
function readableHashes(
  said: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> | null {
  const good: Record<string, string> = {};
  let isBad = false;
  for (const [algorithm, hash] of Object.entries(said)) {
    if (hash === null || hash === "") continue;
    const chars = HASH_CHARS.get(algorithm);
    if (chars === undefined || (hash.length === chars && /^[0-9a-f]+$/iu.test(hash)))
      good[algorithm] = hash;
    else isBad = true;
  }
  return isBad && good["sha256"] === undefined ? null : good;
}

function metadataOf(file: UpstreamFile): IndexFile["upstreamMetadata"] {
  const said =
    file["core-metadata"] ?? file["dist-info-metadata"] ?? file["data-dist-info-metadata"] ?? false;
  if (said === false) return null;
  const sha256 = typeof said === "object" ? said["sha256"] : undefined;
  return { sha256: sha256 !== undefined && /^[0-9a-f]{64}$/iu.test(sha256) ? sha256 : null };
}

/** uv takes no page of which one file has a null, a hash or a time that it can't read; pip ends with a traceback at some of them. */
function readable(
  file: UpstreamFile,
  told: {
    readonly hashes: Readonly<Record<string, string>>;
    readonly uploadTime: string | null;
    readonly base: string;
  },
): Readonly<Record<string, unknown>> {
  const {
    size,
    yanked,
    "requires-python": requiresPython,
    "upload-time": _time,
    "core-metadata": metadata,
    // pip 22.3 to 23.0 can't read its true form: it is told by the other names.
    "dist-info-metadata": _old,
    "data-dist-info-metadata": wrong,
    ...others
  } = file;
  const { provenance } = others;
  const optional = {
    size,
    yanked,
    "requires-python": requiresPython,
    "upload-time": told.uploadTime,
    "core-metadata": metadata,
    "data-dist-info-metadata": wrong,
  };
  return {
    ...others,
    hashes: told.hashes,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => (value ?? null) !== null)),
    ...(typeof provenance === "string" ? provenanceOf(provenance, told.base) : {}),
  };
}

/** Its address absolute (PEP 740); what is no address of the web is none. */
function provenanceOf(said: string, base: string): { readonly provenance: string | null } {
  const url = URL.parse(said, base);
  const isWeb = url !== null && /^https?:$/u.test(url.protocol);
  return { provenance: isWeb ? url.href : null };
}
