import type { Bucket } from "../../bucket/bucket.ts";
import { lineOfFault } from "../../base/errors.ts";
import { comparisonId, comparisonKey } from "../../judge/comparison-id.ts";
import { madeAtMs } from "../../store/attempt-id.ts";
import type { ComparisonJson } from "../../judge/comparison-json.ts";

/**
 * Keeps what was found where the farm's pages read it, whole or in part. Where that fails, it is told, and what was found is no
 * less true. Nothing is kept of what came to no end at all.
 * @param made the comparison, with where it is kept.
 */
export async function keepComparison(
  made: (told: Pick<ComparisonJson, "id" | "endedAt">) => ComparisonJson,
  bucket: Pick<Bucket, "create">,
  failed: (fault: string) => void,
  nowMs: number = Date.now(),
): Promise<ComparisonJson> {
  const endedMs = lastRunMs(made({ id: null, endedAt: null })) ?? nowMs;
  const endedAt = new Date(endedMs).toISOString();
  const unkept = made({ id: null, endedAt });
  if (unkept.compared.length === 0) return unkept;
  const id = comparisonId(unkept, endedMs);
  const comparison = made({ id, endedAt });
  // What ended the runs is not to end this.
  const { signal } = new AbortController();
  try {
    const content = Buffer.from(JSON.stringify(comparison));
    await bucket.create(comparisonKey(id), content, { signal, compression: "gzip" });
    return comparison;
  } catch (thrown) {
    failed(lineOfFault(thrown));
    return unkept;
  }
}

/** When its last run was begun: typed again with nothing left to run, a comparison is the same one. Null where no run says it. */
function lastRunMs({ compared }: ComparisonJson): number | null {
  const times = compared.flatMap(({ a, b }) =>
    [...a.runs, ...b.runs].flatMap(({ id }) => madeAtMs(id) ?? []),
  );
  return times.length === 0 ? null : Math.max(...times);
}
