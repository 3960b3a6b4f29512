import { printableLine } from "../../base/bounded-text.ts";
import { clipToWidth, displayWidth, padToWidth } from "./display-width.ts";
import {
  ended,
  entered,
  timeOf,
  type Progress,
  type ProgressClock,
  type ProgressOutput,
  type Row,
} from "./progress-row.ts";
import { paint, type Tone } from "./tone.ts";

const FRAME_PERIOD_MS = 150;
const MAX_LABEL_COLUMNS = 48;
const DOING_COLUMNS = 9;

interface Frame {
  /** Keys of rows that go above for good. */
  readonly leaving: readonly string[];
  readonly rows: readonly Row[];
  /** How many rows are summed up in the last line. */
  readonly more: { readonly running: number; readonly waiting: number };
}

/** Rows at the bottom of a terminal, drawn anew while they run. Each frame is one write. */
export class LiveRows implements Progress {
  readonly #output: ProgressOutput;
  readonly #clock: ProgressClock;
  readonly #rows = new Map<string, Row>();
  /** Keys of rows that have scrolled away above. */
  readonly #left = new Set<string>();
  readonly #timer: Disposable;
  /** Display widths of the lines that stand on the screen now, and how wide it was then. */
  #drawn: { readonly widths: readonly number[]; readonly columns: number } = {
    widths: [],
    columns: 0,
  };
  #disposed = false;

  constructor(output: ProgressOutput, clock: ProgressClock) {
    this.#output = output;
    this.#clock = clock;
    this.#timer = clock.every(FRAME_PERIOD_MS, () => this.#draw([]));
  }

  add(key: string, label: string): void {
    this.#set(key, { kind: "waiting", label });
  }

  enter(key: string, doing: string, note = ""): void {
    this.#set(key, entered(this.#rows.get(key), key, doing, note, this.#clock.nowMs()));
  }

  end(key: string, word: string, tone: Tone, note = ""): void {
    this.#set(key, ended(this.#rows.get(key), key, { word, tone, note }, this.#clock.nowMs()));
  }

  say(line: string): void {
    if (!this.#disposed) this.#draw([printableLine(line)]);
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#timer[Symbol.dispose]();
    this.#draw([]);
    this.#disposed = true;
  }

  #set(key: string, row: Row): void {
    this.#rows.set(key, row);
    this.#left.delete(key);
  }

  /** @param said lines that stay. */
  #draw(said: readonly string[]): void {
    // Some pseudo-terminals say that they are 0 x 0.
    const columns = this.#output.columns || 80;
    const height = Math.max(1, (this.#output.rows || 24) - 1);
    const now = this.#clock.nowMs();
    const rows = [...this.#rows].filter(([key]) => !this.#left.has(key));
    const frame = fit(rows, height);
    const leaving = frame.leaving.flatMap((key) => this.#rows.get(key) ?? []);
    for (const key of frame.leaving) this.#left.add(key);
    const labelColumns = Math.min(
      MAX_LABEL_COLUMNS,
      Math.max(0, ...rows.map(([, row]) => displayWidth(printableLine(row.label)))),
    );
    const room = { label: labelColumns, line: columns - 1 };
    const paintRow = (row: Row) => paint(rowText(row, now, room), toneOf(row), true);
    const lines = frame.rows.map((row) => ({
      painted: paintRow(row),
      width: displayWidth(rowText(row, now, room)),
    }));
    const more = clipToWidth(moreText(frame.more), room.line);
    if (more !== "") lines.push({ painted: more, width: displayWidth(more) });

    const stay = [...leaving.map(paintRow), ...said].map((line) => `${line}\n`).join("");
    // While the rows are written the terminal must not wrap: a width may have been misjudged.
    const live = lines.map(({ painted }) => `${painted}\n`).join("");
    const nothing = stay === "" && live === "" && this.#drawn.widths.length === 0;
    if (nothing) return;
    this.#output.write(`${this.#erasure(columns)}${stay}\x1b[?7l${live}\x1b[?7h`);
    this.#drawn = { widths: lines.map(({ width }) => width), columns };
  }

  /**
   * Back to where the last frame begins, and all of it away. A terminal that has become narrower has folded
   * the lines that no longer fit (nearly all do), so that they stand on more rows than were drawn. Row by
   * row, because some (tmux) keep what "erase below" takes from a whole screen among what scrolled away.
   */
  #erasure(columns: number): string {
    const { widths, columns: drawnColumns } = this.#drawn;
    const rows = widths.reduce(
      (sum, width) => sum + (columns < drawnColumns ? Math.max(1, Math.ceil(width / columns)) : 1),
      0,
    );
    return `\r\x1b[2K${"\x1b[1A\x1b[2K".repeat(rows)}`;
  }
}

/**
 * What is shown where there are `height` lines. When there are more rows, those that wait are summed up in
 * one line, and as many of those that ended as need be leave, oldest first.
 */
function fit(rows: readonly (readonly [string, Row])[], height: number): Frame {
  const all = rows.map(([, row]) => row);
  if (all.length <= height) return { leaving: [], rows: all, more: { running: 0, waiting: 0 } };
  const begun = rows.filter(([, row]) => row.kind !== "waiting");
  const waiting = all.length - begun.length;
  const room = height - (waiting > 0 ? 1 : 0);
  const leaving = begun
    .filter(([, row]) => row.kind === "ended")
    .slice(0, Math.max(0, begun.length - room))
    .map(([key]) => key);
  const staying = begun.filter(([key]) => !leaving.includes(key)).map(([, row]) => row);
  if (staying.length <= room) return { leaving, rows: staying, more: { running: 0, waiting } };
  const shown = staying.slice(0, height - 1);
  return { leaving, rows: shown, more: { running: staying.length - shown.length, waiting } };
}

function moreText({ running, waiting }: Frame["more"]): string {
  const parts = [
    ...(running > 0 ? [`${running} more run`] : []),
    ...(waiting > 0 ? [`${waiting} wait`] : []),
  ];
  return parts.join(", ");
}

function rowText(
  row: Row,
  nowMs: number,
  room: { readonly label: number; readonly line: number },
): string {
  const label = padToWidth(clipToWidth(printableLine(row.label), room.label), room.label);
  const { word, note } = wordAndNote(row);
  const time = timeOf(row, nowMs).padStart(8);
  const text = `${label} ${time}  ${padToWidth(printableLine(word), DOING_COLUMNS)} ${printableLine(note)}`;
  return clipToWidth(text.trimEnd(), room.line);
}

function wordAndNote(row: Row): { word: string; note: string } {
  switch (row.kind) {
    case "waiting":
      return { word: "waits", note: "" };
    case "running":
      return { word: row.doing, note: row.note };
    case "ended":
      return { word: row.word, note: row.note };
  }
}

function toneOf(row: Row): Tone {
  switch (row.kind) {
    case "waiting":
      return "neutral";
    case "running":
      return "running";
    case "ended":
      return row.tone;
  }
}
