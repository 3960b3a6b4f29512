import { printableLine } from "../../base/bounded-text.ts";
import {
  ended,
  entered,
  timeOf,
  type Progress,
  type ProgressClock,
  type ProgressOutput,
  type Row,
} from "./progress-row.ts";
import type { Tone } from "./tone.ts";

/** A count of tests changes from moment to moment: notes of one phase are worth a line of a row this often. */
const NOTE_PERIOD_MS = 30_000;

/** For logs and for people who want no control codes: a line for each phase of a row and for its end. */
export class PlainLines implements Progress {
  readonly #output: ProgressOutput;
  readonly #clock: ProgressClock;
  readonly #rows = new Map<string, Row>();
  /** When each row's last line was written. */
  readonly #saidMs = new Map<string, number>();
  #disposed = false;

  constructor(output: ProgressOutput, clock: ProgressClock) {
    this.#output = output;
    this.#clock = clock;
  }

  add(key: string, label: string): void {
    this.#rows.set(key, { kind: "waiting", label });
  }

  enter(key: string, doing: string, note = ""): void {
    const before = this.#rows.get(key);
    const now = this.#clock.nowMs();
    const after = entered(before, key, doing, note, now);
    this.#rows.set(key, after);
    if (before?.kind === "running" && before.doing === doing) {
      const isDue = now - (this.#saidMs.get(key) ?? 0) >= NOTE_PERIOD_MS;
      if (before.note === note || !isDue) return;
    }
    this.#tell(key, after, doing, note, now);
  }

  end(key: string, word: string, tone: Tone, note = ""): void {
    const now = this.#clock.nowMs();
    const after = ended(this.#rows.get(key), key, { word, tone, note }, now);
    this.#rows.set(key, after);
    this.#tell(key, after, word, note, now);
  }

  say(line: string): void {
    if (!this.#disposed) this.#output.write(`${printableLine(line)}\n`);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
  }

  #tell(key: string, row: Row, word: string, note: string, nowMs: number): void {
    this.#saidMs.set(key, nowMs);
    this.say(`${row.label}: ${word}${note === "" ? "" : ` (${note})`} ${timeOf(row, nowMs)}`);
  }
}
