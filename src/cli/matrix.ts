import { styleText } from "node:util";

import { printableLine } from "../base/bounded-text.ts";

export interface MatrixCell {
  readonly row: string;
  readonly column: string;
  /** A word that says the verdict without its colour: `pass`, `FAIL`, `skip`. */
  readonly word: string;
  /** Counts or the cause, below the word. */
  readonly detail: string;
  readonly tone: "good" | "bad" | "neutral";
}

const COLOURS = { good: "green", bad: "red", neutral: "yellow" } as const;

/** Package x configuration as a table of words; colour only helps. */
export function renderMatrix(cells: readonly MatrixCell[], colour: boolean): string {
  const rows = [...new Set(cells.map((cell) => cell.row))];
  const columns = [...new Set(cells.map((cell) => cell.column))];
  const at = new Map(cells.map((cell) => [`${cell.row}\n${cell.column}`, cell]));
  const width = (column: string) =>
    Math.max(
      column.length,
      ...cells.filter((cell) => cell.column === column).flatMap((cell) => [cell.word.length, printableLine(cell.detail).length]),
    );
  const widths = new Map(columns.map((column) => [column, width(column)]));
  const first = Math.max(0, ...rows.map((row) => printableLine(row).length));
  const lines = [`${"".padEnd(first)}  ${columns.map((column) => column.padEnd(widths.get(column) ?? 0)).join("  ")}`.trimEnd()];
  for (const row of rows) {
    const words = columns.map((column) => {
      const cell = at.get(`${row}\n${column}`);
      const text = (cell?.word ?? "").padEnd(widths.get(column) ?? 0);
      return cell !== undefined && colour ? styleText(COLOURS[cell.tone], text, { validateStream: false }) : text;
    });
    const details = columns.map((column) => printableLine(at.get(`${row}\n${column}`)?.detail ?? "").padEnd(widths.get(column) ?? 0));
    lines.push(`${printableLine(row).padEnd(first)}  ${words.join("  ")}`.trimEnd());
    lines.push(`${"".padEnd(first)}  ${details.join("  ")}`.trimEnd());
  }
  return lines.join("\n");
}
