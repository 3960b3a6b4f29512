/**
 * Where what stands in a log, found in one pass over its bytes, and the log itself as it is kept for showing: no line of it is
 * longer than `MAX_LINE_BYTES`, so that any part can be read and shown in bounded memory, whatever a package wrote.
 */

/** Of one line; of a longer one how much was left out is noted. */
export const MAX_LINE_BYTES = 8000;
/** Marks, within a kept log, the end of a line that was cut; in no UTF-8, and taken out of what packages write. */
export const CUT_MARK = 0xff;
/** A place to begin reading at is noted after so many lines, or bytes. */
const LINES_PER_MARK = 500;
const BYTES_PER_MARK = 256 * 1024;
/** A package can write lines that look as if they began a step. */
const MOST_SECTIONS = 200;
const MOST_HEADER_BYTES = 400;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** A step of an attempt, as its log has it. */
export interface LogSection {
  /** `install`, `test`; empty for what stands before the first step. */
  readonly step: string;
  readonly command: string;
  /** The first of its lines, which names it; from 1. */
  readonly from: number;
  /** How many lines it has, as far as the log was read. */
  readonly count: number;
  /** `exit 1 after 2.31 s`; null where the log does not say it. */
  readonly end: string | null;
}

interface Begun {
  readonly step: string;
  readonly command: string;
  readonly from: number;
  end: string | null;
}

/** Takes a log as it comes, and gives back what is to be kept of it. */
export class LogIndexer {
  /** Whole lines that were met, and their bytes as they are kept. */
  lines = 0;
  bytes = 0;
  readonly #begun: Begun[] = [];
  readonly #markLines: number[] = [1];
  readonly #markBytes: number[] = [0];
  /** Of the line that has not ended yet, what is shown of it. */
  readonly #held = Buffer.alloc(MAX_LINE_BYTES);
  #heldBytes = 0;
  #cutBytes = 0;
  #isHolding = false;
  #returned = false;

  add(chunk: Buffer): Buffer[] {
    const kept: Buffer[] = [];
    const isPlain = !chunk.includes(RETURN) && !chunk.includes(CUT_MARK);
    let runStart = 0;
    let at = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, at);
      if (newline < 0) break;
      if (isPlain && !this.#isHolding && newline - at <= MAX_LINE_BYTES) {
        this.#met(chunk.subarray(at, newline));
      } else {
        if (at > runStart) kept.push(chunk.subarray(runStart, at));
        this.#hold(chunk.subarray(at, newline));
        kept.push(this.#release());
        runStart = newline + 1;
      }
      at = newline + 1;
    }
    if (at > runStart) kept.push(chunk.subarray(runStart, at));
    if (at < chunk.length) this.#hold(chunk.subarray(at));
    return kept;
  }

  /** The log has ended: so has its last line, with a newline or without. */
  end(): Buffer[] {
    return this.#isHolding ? [this.#release()] : [];
  }

  /** Steps in their order. @param lines as if the log had only so many. */
  sections(lines = this.lines): LogSection[] {
    const begun = this.#begun.filter(({ from }) => from <= lines);
    return begun.map(({ step, command, from, end }, at) => ({
      step,
      command,
      from,
      count: (begun[at + 1]?.from ?? lines + 1) - from,
      end,
    }));
  }

  /** Where to begin reading for a line: another line at or before it, and its offset in what is kept. */
  markBefore(line: number): { readonly line: number; readonly offset: number } {
    let low = 0;
    let high = this.#markLines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#markLines[middle] ?? 0) <= line) low = middle;
      else high = middle - 1;
    }
    return { line: this.#markLines[low] ?? 1, offset: this.#markBytes[low] ?? 0 };
  }

  /** A whole line, as it is kept. */
  #met(line: Buffer): void {
    this.lines++;
    const isMark = line[0] === line[1] && (line[0] === 0x3d || line[0] === 0x2d);
    if (isMark) this.#noteStep(line.subarray(0, MOST_HEADER_BYTES).toString("utf8"));
    // What stands before the first step.
    if (this.#begun.length === 0) this.#begun.push({ step: "", command: "", from: 1, end: null });
    this.bytes += line.length + 1;
    const lastLine = this.#markLines.at(-1) ?? 1;
    const lastByte = this.#markBytes.at(-1) ?? 0;
    if (this.lines + 1 - lastLine >= LINES_PER_MARK || this.bytes - lastByte >= BYTES_PER_MARK) {
      this.#markLines.push(this.lines + 1);
      this.#markBytes.push(this.bytes);
    }
  }

  /** `== step: command` begins a step, and `-- step: how it ended` ends it. */
  #noteStep(line: string): void {
    const [, sign, step = "", rest = ""] = /^(==|--) (\w[\w ()-]{0,60}): (.*)$/u.exec(line) ?? [];
    const last = this.#begun.at(-1);
    if (sign === "==" && this.#begun.length < MOST_SECTIONS)
      this.#begun.push({ step, command: rest, from: this.lines, end: null });
    else if (sign === "--" && last?.step === step) last.end = rest;
  }

  /** What is shown of a line is what stands after its last carriage return. */
  #hold(bytes: Buffer): void {
    this.#isHolding = true;
    for (let at = 0; at < bytes.length;) {
      const found = bytes.indexOf(RETURN, at);
      const end = found < 0 ? bytes.length : found;
      if (end > at) {
        if (this.#returned) {
          this.#heldBytes = 0;
          this.#cutBytes = 0;
          this.#returned = false;
        }
        const copied = bytes.copy(this.#held, this.#heldBytes, at, end);
        this.#heldBytes += copied;
        this.#cutBytes += end - at - copied;
      }
      if (found >= 0) this.#returned = true;
      at = end + 1;
    }
  }

  #release(): Buffer {
    const held = this.#held.subarray(0, this.#heldBytes);
    for (let at = held.indexOf(CUT_MARK); at >= 0; at = held.indexOf(CUT_MARK, at)) held[at] = 0xfe;
    const whole = this.#cutBytes === 0 ? held.length : wholeCharacters(held);
    const cut = this.#cutBytes + held.length - whole;
    const line =
      this.#cutBytes === 0
        ? Buffer.from(held)
        : Buffer.concat([held.subarray(0, whole), Buffer.of(CUT_MARK), Buffer.from(String(cut))]);
    this.#heldBytes = 0;
    this.#cutBytes = 0;
    this.#isHolding = false;
    this.#returned = false;
    this.#met(line);
    return Buffer.concat([line, Buffer.of(NEWLINE)]);
  }
}

/** How many bytes of a text that was cut somewhere are whole characters of UTF-8. */
function wholeCharacters(held: Buffer): number {
  let at = held.length;
  for (let back = 0; back < 3 && ((held[at - 1] ?? 0) & 0xc0) === 0x80; back++) at--;
  return (held[at - 1] ?? 0) >= 0xc0 ? at - 1 : at;
}
