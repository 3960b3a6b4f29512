import type { TestResult } from "../../model/attempt.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import type { SampleSite } from "./site.sample.ts";

/** Keeps something of an attempt, as it is kept of a real one. */
export async function keep(
  { farm }: SampleSite,
  id: string,
  name: string,
  text: string,
): Promise<void> {
  await farm.bucket.create(attemptKey(id, name), Buffer.from(text), {
    signal: new AbortController().signal,
    compression: name.endsWith(".toml") ? "none" : "gzip",
  });
}

export function keepReport(
  site: SampleSite,
  id: string,
  results: readonly TestResult[],
  collectionErrors: readonly { readonly id: string; readonly message: string }[] = [],
): Promise<void> {
  return keep(site, id, "report.json", JSON.stringify({ schema: 1, results, collectionErrors }));
}

export const LOCK = `lock-version = "1.0"
created-by = "creamery"

[[packages]]
name = "cffi"
version = "2.0.0"
`;
