import type { Bucket } from "../../bucket/bucket.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { readReport, type ReadReport, type ReportBounds } from "./read-report.ts";

export interface KeptReportBounds {
  /** Of one report. */
  readonly report: ReportBounds;
  /** Of all that are kept, in characters. */
  readonly chars: number;
  /** Read at the same time. */
  readonly reading: number;
  readonly readMs: number;
}

export const REPORT_BOUNDS: KeptReportBounds = {
  report: { tests: 200_000, chars: 48_000_000 },
  chars: 96_000_000,
  reading: 2,
  readMs: 30_000,
};

/** A thing read by its id, and how much of memory it takes. */
type Kept = Promise<ReadReport | null>;

/**
 * Reports of attempts, read once and kept while there is room: who looks through a report looks at many pages of it. Whoever asks
 * for what is being read waits for that; few are read at a time, so that the memory for it is bounded.
 */
export class KeptReports {
  readonly #bucket: Pick<Bucket, "open">;
  readonly #bounds: KeptReportBounds;
  /** In the order in which they were last asked for. */
  readonly #kept = new Map<string, Kept>();
  readonly #chars = new Map<string, number>();
  readonly #turns: Promise<unknown>[];

  constructor(bucket: Pick<Bucket, "open">, bounds: Partial<KeptReportBounds> = {}) {
    this.#bucket = bucket;
    this.#bounds = { ...REPORT_BOUNDS, ...bounds };
    this.#turns = Array.from({ length: this.#bounds.reading }, () => Promise.resolve());
  }

  /** How many characters are kept at present. */
  get chars(): number {
    return [...this.#chars.values()].reduce((sum, chars) => sum + chars, 0);
  }

  /** @returns null where there is none, or none any more. @throws CreameryError `bucket`; an error where it takes too long. */
  of(id: string): Promise<ReadReport | null> {
    const known = this.#kept.get(id);
    if (known !== undefined) {
      this.#kept.delete(id);
      this.#kept.set(id, known);
      return known;
    }
    const reading = this.#inTurn(() => this.#read(id));
    this.#kept.set(id, reading);
    return reading;
  }

  async #read(id: string): Promise<ReadReport | null> {
    try {
      const signal = AbortSignal.timeout(this.#bounds.readMs);
      const blob = await this.#bucket.open(attemptKey(id, "report.json"));
      const report =
        blob === null ? null : await readReport(blob.content(signal), this.#bounds.report);
      // What is not there is asked for again: it may be on its way.
      if (report === null) this.#kept.delete(id);
      else this.#chars.set(id, report.chars);
      this.#makeRoom(id);
      return report;
    } catch (thrown) {
      this.#kept.delete(id);
      throw thrown;
    }
  }

  /** What was asked for longest ago goes first. */
  #makeRoom(keep: string): void {
    let chars = this.chars;
    for (const id of this.#kept.keys()) {
      if (chars <= this.#bounds.chars) return;
      const own = this.#chars.get(id);
      if (id === keep || own === undefined) continue;
      this.#kept.delete(id);
      this.#chars.delete(id);
      chars -= own;
    }
  }

  /** Each waits for one of those before it. */
  #inTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const before = this.#turns.shift() ?? Promise.resolve();
    const running = before.then(work);
    this.#turns.push(running.catch(() => undefined));
    return running;
  }
}
