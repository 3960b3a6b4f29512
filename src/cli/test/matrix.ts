import { printableLine } from "../../base/bounded-text.ts";
import { clipToWidth, displayWidth, padToWidth } from "./display-width.ts";
import { paint, type Tone } from "./tone.ts";

export interface MatrixCell {
  readonly row: string;
  readonly column: string;
  /** A word that says the verdict without its colour: `pass`, `FAIL`, `skip`. */
  readonly word: string;
  /** Counts or the cause, below the word. */
  readonly detail: string;
  readonly tone: Tone;
}

export interface MatrixLook {
  readonly colour: boolean;
  /** Of the terminal; absent where the output is none, and nothing needs to fit. */
  readonly columns?: number;
}

const GAP = "  ";
/** A cause may name a header or a module of any length; the details have it whole. */
const MAX_DETAIL_COLUMNS = 44;

/**
 * Package x configuration: a table of words with their details below, or where that is wider than the
 * terminal one list for each package. Whole lines; empty when there are no cells. Cells of the same row
 * and column stand below each other: none hides another.
 */
export function renderMatrix(cells: readonly MatrixCell[], look: MatrixLook): string {
  const shown = cells.map((cell) => ({
    ...cell,
    row: printableLine(cell.row),
    column: printableLine(cell.column),
    word: printableLine(cell.word),
    detail: clipToWidth(printableLine(cell.detail), MAX_DETAIL_COLUMNS),
  }));
  const rows = Map.groupBy(shown, (cell) => cell.row);
  const columns = [...Map.groupBy(shown, (cell) => cell.column)].map(([name, own]) => ({
    name,
    width: widest([name, ...own.flatMap((cell) => [cell.word, cell.detail])]),
  }));
  const first = widest(rows.keys());
  const total = columns.reduce((sum, { width }) => sum + GAP.length + width, first);
  // Some pseudo-terminals say that they are 0 columns wide: nothing is known of those.
  const room = look.columns || Infinity;
  const lines =
    total > room
      ? listLines(rows, { ...look, columns: room })
      : tableLines(rows, columns, first, look);
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

interface Column {
  readonly name: string;
  readonly width: number;
}

function tableLines(
  rows: ReadonlyMap<string, readonly MatrixCell[]>,
  columns: readonly Column[],
  first: number,
  look: MatrixLook,
): string[] {
  if (rows.size === 0) return [];
  const join = (name: string, words: readonly string[]) =>
    [padToWidth(name, first), ...words].join(GAP);
  const lines = [
    join(
      "",
      columns.map(({ name, width }) => padToWidth(name, width)),
    ),
  ];
  for (const [row, own] of rows) {
    const stacks = columns.map(({ name }) => own.filter((cell) => cell.column === name));
    const depth = Math.max(...stacks.map((stack) => stack.length));
    for (let layer = 0; layer < depth; layer++) {
      const at = columns.map(({ width }, index) => ({ width, cell: stacks[index]?.[layer] }));
      const words = at.map(({ width, cell }) => {
        const word = cell?.word ?? "";
        const room = " ".repeat(width - displayWidth(word));
        return `${paint(word, cell?.tone ?? "neutral", look.colour)}${room}`;
      });
      lines.push(join(row, words));
      const details = at.map(({ width, cell }) => padToWidth(cell?.detail ?? "", width));
      lines.push(join("", details));
    }
  }
  return lines;
}

function listLines(
  rows: ReadonlyMap<string, readonly MatrixCell[]>,
  { colour, columns }: Required<MatrixLook>,
): string[] {
  const all = [...rows.values()].flat();
  const nameWidth = widest(all.map((cell) => cell.column));
  const wordWidth = widest(all.map((cell) => cell.word));
  return [...rows].flatMap(([row, own]) => [
    clipToWidth(row, columns),
    ...own.map((cell) => {
      const before = `${GAP}${padToWidth(cell.column, nameWidth)}${GAP}`;
      const whole = `${before}${padToWidth(cell.word, wordWidth)}${GAP}${cell.detail}`;
      // Clipped before it is painted: escape sequences take no columns.
      const line = clipToWidth(whole.trimEnd(), columns);
      const end = before.length + cell.word.length;
      const word = paint(line.slice(before.length, end), cell.tone, colour);
      return `${line.slice(0, before.length)}${word}${line.slice(end)}`;
    }),
  ]);
}

function widest(texts: Iterable<string>): number {
  return Math.max(0, ...[...texts].map((text) => displayWidth(text)));
}
