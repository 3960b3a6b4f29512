import { buffer } from "node:stream/consumers";
import { z } from "zod";

import type { Bucket } from "../../bucket/bucket.ts";
import { AttemptRecord } from "../../index/index-service.ts";
import type { SideRun } from "../../judge/compare-sides.ts";
import { parseSdistFilename, parseWheelFilename } from "../../python/distribution-filename.ts";
import type { Store } from "../../store/store.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";

const Report = z.object({
  results: z.array(z.object({ id: z.string(), outcome: z.string() })),
});
const Record = AttemptRecord.pick({ files: true });

/** An attempt as it was kept, with its tests and what the index gave it; null where it was not run to its end. */
export async function loadRun(
  id: string,
  { store, bucket }: { readonly store: Pick<Store, "attempt">; readonly bucket: Bucket },
  signal: AbortSignal,
): Promise<SideRun | null> {
  const stored = await store.attempt(id);
  if (stored === null || stored.attempt.id !== id) return null;
  const report = await readKept(bucket, attemptKey(id, "report.json"), Report, signal);
  const record = await readKept(bucket, attemptKey(id, "record.json"), Record, signal);
  const given = (record?.files ?? []).map(({ project, filename }) => {
    const parsed = parseWheelFilename(filename) ?? parseSdistFilename(filename, project);
    return `${project} ${parsed?.version ?? filename}`;
  });
  return {
    attempt: stored.attempt,
    results: new Map((report?.results ?? []).map(({ id: test, outcome }) => [test, outcome])),
    given: [...new Set(given)].toSorted(),
  };
}

/** Null where it is not there any more, or can't be read: the result itself is in the store. */
async function readKept<Value>(
  bucket: Bucket,
  key: string,
  schema: z.ZodType<Value>,
  signal: AbortSignal,
): Promise<Value | null> {
  const blob = await bucket.open(key);
  if (blob === null) return null;
  const text = (await buffer(blob.content(signal))).toString("utf8");
  return schema.safeParse(JSON.parse(text)).data ?? null;
}
