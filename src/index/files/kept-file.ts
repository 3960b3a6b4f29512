import { z } from "zod";

import { shownUrl } from "../upstream/secret.ts";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);

/** A file of a page as it is written down: for another host of the farm, or to be remembered when it is listed no more. */
export const KeptFile = z
  .strictObject({
    filename: z.string().refine(isFilename),
    url: z.string().max(8000),
    sha256: sha256.nullable(),
    sizeBytes: z.int().nonnegative().nullable(),
    requiresPython: z.string().nullable(),
    yanked: z.string().nullable(),
    uploadTime: z.string().nullable(),
    upstreamMetadata: z.strictObject({ sha256: z.string().nullable() }).nullable(),
    key: z.string().regex(/^(?:u-)?[0-9a-f]{64}$/u),
    raw: z.record(z.string(), z.unknown()),
  })
  .refine((file) => (file.sha256 === null ? file.key.startsWith("u-") : file.key === file.sha256));
export type KeptFile = z.infer<typeof KeptFile>;

/** Without the queries of addresses: signed ones carry credentials there. */
export function keptFile(file: KeptFile): KeptFile {
  const url = shownUrl(file.url);
  const { provenance } = file.raw;
  const also = typeof provenance === "string" ? { provenance: shownUrl(provenance) } : {};
  return { ...file, url, raw: { ...file.raw, url, ...also } };
}

/** No path: without a slash, and no dot at its beginning. */
export function isFilename(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._+!~-]{0,255}$/u.test(text);
}
