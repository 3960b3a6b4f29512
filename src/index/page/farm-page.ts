import { z } from "zod";

import { keptFile, KeptFile } from "../files/kept-file.ts";
import { PageHistory } from "../past/page-history.ts";
import type { ProjectPage } from "./project-page.ts";

/**
 * A project's page as one host of the farm gives it to another: what an upstream said, with that upstream's own address and
 * its files' own, so that what an attempt records is the same wherever it ran. Queries of addresses are left out: signed
 * ones carry credentials there, and the other host fetches from the farm.
 */

export const FARM_PAGE_TYPE = "application/vnd.creamery.page+json";

/** In `raw`, where a host of a neighbouring version that knows nothing of it passes it by. */
const HISTORY = "_history";

const FarmPage = z.strictObject({
  schema: z.literal(1),
  name: z.string(),
  versions: z.array(z.string()),
  status: z.string(),
  lastSerial: z.number().nullable(),
  upstream: z.string(),
  contentSha256: z.string().regex(/^[0-9a-f]{64}$/u),
  raw: z.record(z.string(), z.unknown()),
  files: z.array(KeptFile).max(200_000),
});

export function renderFarmPage(page: ProjectPage): string {
  const { name, versions, status, lastSerial, upstream, contentSha256, history } = page;
  const raw = { ...page.raw, ...(history === undefined ? {} : { [HISTORY]: history }) };
  const told: z.infer<typeof FarmPage> = {
    schema: 1,
    name,
    versions: [...versions],
    status,
    lastSerial,
    upstream,
    contentSha256,
    raw,
    files: page.files.map(keptFile),
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
  const { [HISTORY]: told, ...raw } = page.raw;
  const history = PageHistory.safeParse(told);
  return { ...page, raw, stale: false, ...(history.success ? { history: history.data } : {}) };
}
