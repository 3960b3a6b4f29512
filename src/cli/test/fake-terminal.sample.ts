import type { ProgressClock, ProgressOutput } from "./progress-row.ts";

/** Time that a test moves. */
export class FakeClock implements ProgressClock {
  #now = 1_000_000;
  readonly #calls = new Map<() => void, { readonly periodMs: number; dueMs: number }>();

  nowMs(): number {
    return this.#now;
  }

  every(periodMs: number, call: () => void): Disposable {
    this.#calls.set(call, { periodMs, dueMs: this.#now + periodMs });
    return { [Symbol.dispose]: () => void this.#calls.delete(call) };
  }

  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (const [call, timer] of this.#calls) {
      for (; timer.dueMs <= end; timer.dueMs += timer.periodMs) {
        this.#now = timer.dueMs;
        call();
      }
    }
    this.#now = end;
  }
}

interface ScreenRow {
  text: string;
  /** The line goes on in the next row, because it was too long for this one. */
  folded: boolean;
}

const SEQUENCE = /\u001b\[(?:(\d+)A|(2K)|(\?7[lh])|\d+m)|([\r\n])|([^\u001b])/gsy;

/**
 * A terminal as most are: it folds what is too long, scrolls, and folds anew when it is resized. It knows
 * only the sequences that live rows use and throws at any other. Characters are one column wide.
 */
export class FakeTerminal implements ProgressOutput {
  readonly isTTY = true;
  written = "";
  #rows: ScreenRow[] = [{ text: "", folded: false }];
  #row = 0;
  #column = 0;
  #folds = true;
  #size: { columns: number; rows: number };

  constructor(columns: number, rows: number) {
    this.#size = { columns, rows };
  }

  get columns(): number {
    return this.#size.columns;
  }
  get rows(): number {
    return this.#size.rows;
  }

  /** Whole lines from the first one on, those that scrolled away among them. */
  get lines(): string[] {
    const lines = [""];
    for (const { text, folded } of this.#rows) {
      lines[lines.length - 1] += text;
      if (!folded) lines.push("");
    }
    return lines.map((line) => line.trimEnd()).filter((line) => line !== "");
  }

  /** The rows that can be seen now, down to the cursor's. */
  get visible(): string[] {
    return this.#rows.slice(this.#top, this.#row + 1).map(({ text }) => text.trimEnd());
  }

  write(text: string): void {
    this.written += text;
    SEQUENCE.lastIndex = 0;
    while (SEQUENCE.lastIndex < text.length) {
      const at = SEQUENCE.lastIndex;
      const match = SEQUENCE.exec(text);
      if (match === null) throw new Error(`unknown: ${JSON.stringify(text.slice(at, at + 20))}`);
      const [, up, erase, folds, move, character] = match;
      if (up !== undefined) this.#row = Math.max(this.#top, this.#row - Number(up));
      else if (erase !== undefined) this.#eraseRow();
      else if (folds !== undefined) this.#folds = folds.endsWith("h");
      else if (move === "\r") this.#column = 0;
      else if (move === "\n") this.#newline(false);
      else if (character !== undefined) this.#put(character);
    }
  }

  resize(columns: number, rows: number): void {
    const before = this.#rows.slice(0, this.#row);
    const lines = [""];
    for (const { text, folded } of before) {
      lines[lines.length - 1] += text;
      if (!folded) lines.push("");
    }
    // The cursor stands on an empty last line between writes.
    this.#size = { columns, rows };
    this.#rows = lines.slice(0, -1).flatMap((line) => foldLine(line, columns));
    this.#rows.push({ text: "", folded: false });
    this.#row = this.#rows.length - 1;
    this.#column = 0;
  }

  get #top(): number {
    return Math.max(0, this.#rows.length - this.#size.rows);
  }

  #put(character: string): void {
    if (this.#column >= this.#size.columns) {
      if (this.#folds) this.#newline(true);
      else this.#column = this.#size.columns - 1;
    }
    const row = this.#rows[this.#row];
    if (row === undefined) return;
    row.text = `${row.text.slice(0, this.#column).padEnd(this.#column)}${character}${row.text.slice(this.#column + 1)}`;
    this.#column++;
  }

  #newline(folded: boolean): void {
    const row = this.#rows[this.#row];
    if (row !== undefined) row.folded = folded;
    this.#row++;
    this.#column = 0;
    if (this.#row === this.#rows.length) this.#rows.push({ text: "", folded: false });
  }

  #eraseRow(): void {
    this.#rows[this.#row] = { text: "", folded: false };
  }
}

function foldLine(line: string, columns: number): ScreenRow[] {
  const rows: ScreenRow[] = [];
  for (let at = 0; at === 0 || at < line.length; at += columns)
    rows.push({ text: line.slice(at, at + columns), folded: at + columns < line.length });
  return rows;
}
