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
  readonly #summaries = new Map<string, Promise<ComparisonSummary | null>>();
  #last: Promise<unknown> = Promise.resolve();

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
    return keptOr(this.#whole, id, MOST_WHOLE, () => this.#inTurn(id, (found) => found));
  }

  summary(id: string): Promise<ComparisonSummary | null> {
    return keptOr(this.#summaries, id, MOST_SUMMARIES, () => this.#inTurn(id, summaryOf));
  }

  /** One after the other: while it is read each takes many times as much memory as it has bytes. */
  #inTurn<Read>(id: string, made: (found: ComparisonJson) => Read): Promise<Read | null> {
    const reading = this.#last.then(async () => {
      const found = await this.#read(id);
      return found === null ? null : made(found);
    });
    this.#last = reading.then(
      () => undefined,
      () => undefined,
    );
    return reading;
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

function summaryOf({ a, b, changes, changed, endedAt, left, compared }: ComparisonJson) {
  const rows = compared.map(({ project, verdict }) => ({ project, verdict }));
  return { a, b, changes, changed, endedAt, left, compared: rows };
}

/** What was asked for longest ago is forgotten first. What is not there may be there later. */
function keptOr<Value>(
  kept: Map<string, Promise<Value | null>>,
  id: string,
  most: number,
  read: () => Promise<Value | null>,
): Promise<Value | null> {
  const known = kept.get(id);
  const reading = known ?? read();
  kept.delete(id);
  kept.set(id, reading);
  const [oldest] = kept.keys();
  if (kept.size > most && oldest !== undefined) kept.delete(oldest);
  if (known !== undefined) return reading;
  const forget = () => {
    if (kept.get(id) === reading) kept.delete(id);
  };
  reading.then((found) => found === null && forget(), forget);
  return reading;
}
