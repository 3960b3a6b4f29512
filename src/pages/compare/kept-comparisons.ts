import { buffer } from "node:stream/consumers";

import type { Bucket } from "../../bucket/bucket.ts";
import { COMPARISONS } from "../../bucket/retention/kept-names.ts";
import { comparisonKey, comparisonOfKey, isComparisonId } from "../../judge/comparison-id.ts";
import { ComparisonJson } from "../../judge/comparison-json.ts";

/** As much of a comparison as lists need. */
export type ComparisonSummary = Pick<
  ComparisonJson,
  "a" | "b" | "changes" | "changed" | "endedAt" | "left"
> & {
  readonly compared: readonly Pick<ComparisonJson["compared"][number], "project" | "verdict">[];
};

/** Of tens of thousands of projects. */
const MAX_BYTES = 64 * 1024 * 1024;
const MOST_WHOLE = 4;
const MOST_SUMMARIES = 200;

/** Comparisons in the bucket: each is made once, so what was read is kept for who asks next. */
export class KeptComparisons {
  readonly #bucket: Pick<Bucket, "open" | "list">;
  readonly #whole = new Map<string, Promise<ComparisonJson | null>>();
  readonly #summaries = new Map<string, ComparisonSummary>();

  constructor(bucket: Pick<Bucket, "open" | "list">) {
    this.#bucket = bucket;
  }

  /** Newest first. */
  async ids(): Promise<readonly string[]> {
    const keys = await this.#bucket.list(COMPARISONS);
    return keys
      .flatMap((key) => comparisonOfKey(key) ?? [])
      .toSorted()
      .toReversed();
  }

  /** Null where there is none, or none that can be read. @throws CreameryError `bucket`. */
  whole(id: string): Promise<ComparisonJson | null> {
    if (!isComparisonId(id)) return Promise.resolve(null);
    const known = this.#whole.get(id);
    const reading = known ?? this.#read(id);
    keep(this.#whole, id, reading, MOST_WHOLE);
    // What is not there may be there later.
    reading.then(
      (found) => found === null && this.#whole.delete(id),
      () => this.#whole.delete(id),
    );
    return reading;
  }

  async summary(id: string): Promise<ComparisonSummary | null> {
    const known = this.#summaries.get(id);
    if (known !== undefined) return known;
    const found = await this.#read(id);
    if (found === null) return null;
    const { a, b, changes, changed, endedAt, left } = found;
    const compared = found.compared.map(({ project, verdict }) => ({ project, verdict }));
    const summary = { a, b, changes, changed, endedAt, left, compared };
    keep(this.#summaries, id, summary, MOST_SUMMARIES);
    return summary;
  }

  async #read(id: string): Promise<ComparisonJson | null> {
    const blob = await this.#bucket.open(comparisonKey(id));
    if (blob === null || blob.sizeBytes > MAX_BYTES) return null;
    const text = (await buffer(blob.content(AbortSignal.timeout(60_000)))).toString();
    return ComparisonJson.safeParse(parsed(text)).data ?? null;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function keep<Value>(into: Map<string, Value>, key: string, value: Value, most: number): void {
  into.delete(key);
  into.set(key, value);
  const [oldest] = into.keys();
  if (into.size > most && oldest !== undefined) into.delete(oldest);
}
