import type { Tone } from "./tone.ts";

/** Where an attempt is, on the progress's clock. */
export type Row =
  | { readonly kind: "waiting"; readonly label: string }
  | {
      readonly kind: "running";
      readonly label: string;
      /** `start`, `install`, `test`. */
      readonly doing: string;
      readonly note: string;
      readonly startedMs: number;
    }
  | {
      readonly kind: "ended";
      readonly label: string;
      readonly word: string;
      readonly note: string;
      readonly tone: Tone;
      readonly startedMs: number;
      readonly endedMs: number;
    };

/** Shows what runs. Disposed, it leaves the last state of its rows where it is and writes no more. */
export interface Progress extends Disposable {
  /** A row that waits for its turn. */
  add(key: string, label: string): void;
  /** It runs: a phase begins, or its note changes. Its time counts from the first call on. */
  enter(key: string, doing: string, note?: string): void;
  /** It has ended with a word of its verdict. A later `enter` takes it up again (a second run confirms). */
  end(key: string, word: string, tone: Tone, note?: string): void;
  /** A line that stays: above the live rows. */
  say(line: string): void;
}

/** A `tty.WriteStream`, or what stands for one. Its size is read anew for each frame. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface ProgressClock {
  /** Never runs backwards; from any origin. */
  nowMs(): number;
  /** Calls until disposed; does not keep the process alive. */
  every(periodMs: number, call: () => void): Disposable;
}

export const systemClock: ProgressClock = {
  nowMs: () => performance.now(),
  every(periodMs, call) {
    const timer = setInterval(call, periodMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  },
};

/** The row's next state when a phase begins or its note changes. */
export function entered(
  before: Row | undefined,
  key: string,
  doing: string,
  note: string,
  nowMs: number,
): Row {
  const { label, startedMs } = begun(before, key, nowMs);
  return { kind: "running", label, doing, note, startedMs };
}

/** The row's last state. */
export function ended(
  before: Row | undefined,
  key: string,
  verdict: { readonly word: string; readonly tone: Tone; readonly note: string },
  nowMs: number,
): Row {
  const { label, startedMs } = begun(before, key, nowMs);
  return { kind: "ended", label, ...verdict, startedMs, endedMs: nowMs };
}

/** `12.3 s` since it began; empty while it waits. */
export function timeOf(row: Row, nowMs: number): string {
  switch (row.kind) {
    case "waiting":
      return "";
    case "running":
      return inSeconds(nowMs - row.startedMs);
    case "ended":
      return inSeconds(row.endedMs - row.startedMs);
  }
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function begun(
  before: Row | undefined,
  key: string,
  nowMs: number,
): { label: string; startedMs: number } {
  const label = before?.label ?? key;
  return before === undefined || before.kind === "waiting"
    ? { label, startedMs: nowMs }
    : { label, startedMs: before.startedMs };
}
