import { styleText } from "node:util";

import { clip, printableLine } from "../base/bounded-text.ts";

/** Where an attempt is. */
export interface RowState {
  readonly label: string;
  /** `start`, `install`, `test`, or a word of the verdict when it has ended. */
  readonly doing: string;
  readonly note: string;
  readonly startedMs: number;
  /** Set when it has ended. */
  readonly endedMs?: number;
  readonly tone: "running" | "good" | "bad" | "neutral";
}

/** Shows what runs: a live row for each configuration on a terminal, else a plain line for each change. */
export interface Progress {
  row(key: string, state: Partial<RowState>): void;
  /** A line that stays: above the live rows. */
  say(line: string): void;
  stop(): void;
}

export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** @param output usually standard error. Plain lines without control codes when it is no terminal or NO_COLOR is set. */
export function openProgress(output: ProgressOutput, env: NodeJS.ProcessEnv, nowMs: () => number = Date.now): Progress {
  const live = output.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return live ? new LiveRows(output, nowMs) : new PlainLines(output, nowMs);
}

const TONES = { running: "cyan", good: "green", bad: "red", neutral: "yellow" } as const;

class PlainLines implements Progress {
  readonly #output: ProgressOutput;
  readonly #nowMs: () => number;
  readonly #rows = new Map<string, RowState>();

  constructor(output: ProgressOutput, nowMs: () => number) {
    this.#output = output;
    this.#nowMs = nowMs;
  }

  row(key: string, state: Partial<RowState>): void {
    const before = this.#rows.get(key);
    const after = merge(before, state, this.#nowMs());
    this.#rows.set(key, after);
    if (before?.doing === after.doing && before.endedMs === after.endedMs) return;
    this.say(`${after.label}: ${after.doing}${after.note === "" ? "" : ` (${after.note})`} ${secondsOf(after, this.#nowMs())}`);
  }

  say(line: string): void {
    this.#output.write(`${printableLine(line)}\n`);
  }

  stop(): void {}
}

class LiveRows implements Progress {
  readonly #output: ProgressOutput;
  readonly #nowMs: () => number;
  readonly #rows = new Map<string, RowState>();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;

  constructor(output: ProgressOutput, nowMs: () => number) {
    this.#output = output;
    this.#nowMs = nowMs;
    this.#timer = setInterval(() => this.#draw(), 150);
    this.#timer.unref();
  }

  row(key: string, state: Partial<RowState>): void {
    this.#rows.set(key, merge(this.#rows.get(key), state, this.#nowMs()));
  }

  say(line: string): void {
    this.#erase();
    this.#output.write(`${printableLine(line)}\n`);
    this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#draw();
    this.#rows.clear();
    this.#drawn = 0;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#output.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }

  #draw(): void {
    const width = this.#output.columns ?? 80;
    const labelWidth = Math.min(48, Math.max(0, ...[...this.#rows.values()].map((row) => row.label.length)));
    const lines = [...this.#rows.values()].map((row) => {
      const time = secondsOf(row, this.#nowMs()).padStart(8);
      const text = `${printableLine(row.label).padEnd(labelWidth)} ${time}  ${row.doing.padEnd(9)} ${printableLine(row.note)}`;
      const clipped = clip(text, width - 1);
      return styleText(TONES[row.tone], clipped, { validateStream: false });
    });
    this.#erase();
    if (lines.length === 0) return;
    this.#output.write(`${lines.join("\n")}\n`);
    this.#drawn = lines.length;
  }
}

function merge(before: RowState | undefined, change: Partial<RowState>, nowMs: number): RowState {
  return { label: "", doing: "waits", note: "", startedMs: nowMs, tone: "running", ...before, ...change };
}

function secondsOf(row: RowState, nowMs: number): string {
  return `${(((row.endedMs ?? nowMs) - row.startedMs) / 1000).toFixed(1)} s`;
}
