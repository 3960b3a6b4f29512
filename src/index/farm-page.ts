import { z } from "zod";

import { isFilename, type ProjectPage } from "./project-page.ts";
import { shownUrl } from "./secret.ts";

/**
 * A project's page as one host of the farm gives it to another: what an upstream said, with that upstream's own address and
 * its files' own, so that what an attempt records is the same wherever it ran. Queries of addresses are left out: signed
 * ones carry credentials there, and the other host fetches from the farm.
 */

export const FARM_PAGE_TYPE = "application/vnd.creamery.page+json";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);
const File = z
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

const FarmPage = z.strictObject({
  schema: z.literal(1),
  name: z.string(),
  versions: z.array(z.string()),
  status: z.string(),
  lastSerial: z.number().nullable(),
  upstream: z.string(),
  contentSha256: sha256,
  raw: z.record(z.string(), z.unknown()),
  files: z.array(File).max(200_000),
});

export function renderFarmPage(page: ProjectPage): string {
  const { name, versions, status, lastSerial, upstream, contentSha256, raw } = page;
  const told: z.infer<typeof FarmPage> = {
    schema: 1,
    name,
    versions: [...versions],
    status,
    lastSerial,
    upstream,
    contentSha256,
    raw,
    files: page.files.map((file) => {
      const url = shownUrl(file.url);
      return { ...file, url, raw: { ...file.raw, url } };
    }),
  };
  return JSON.stringify(told);
}

/** @param name normalised, as it was asked for. @returns null when it is no such page, or another project's. */
export function parseFarmPage(body: Buffer, name: string): ProjectPage | null {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
  const parsed = FarmPage.safeParse(value);
  if (!parsed.success || parsed.data.name !== name) return null;
  const { schema: _, ...page } = parsed.data;
  return { ...page, stale: false };
}
