/** One figure of a benchmark beside its bar. */
export interface Bar {
  readonly what: string;
  readonly value: number | string;
  readonly unit: string;
  /** As in the issue: `< 0.7`, `>= 0.9`; empty for a figure that has none. */
  readonly bar: string;
  readonly holds: boolean | null;
}

/** A figure against `< n`, `<= n`, `> n` or `>= n`. */
export function bar(
  what: string,
  value: number,
  unit: string,
  limit?: { op: "<" | "<=" | ">" | ">="; than: number },
): Bar {
  const rounded = Number(value.toPrecision(4));
  if (limit === undefined) return { what, value: rounded, unit, bar: "", holds: null };
  const holds = Number.isFinite(value) && compare(value, limit.op, limit.than);
  return { what, value: rounded, unit, bar: `${limit.op} ${limit.than}`, holds };
}

function compare(value: number, op: "<" | "<=" | ">" | ">=", than: number): boolean {
  switch (op) {
    case "<":
      return value < than;
    case "<=":
      return value <= than;
    case ">":
      return value > than;
    case ">=":
      return value >= than;
  }
}

/** Prints the table, or with `--json` the array and nothing else; the exit code is 1 when a bar does not hold. */
export function printBars(bars: readonly Bar[], argv: readonly string[]): void {
  if (argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify(bars, null, 2)}\n`);
  } else {
    const rows = bars.map((row) => [
      row.what,
      `${row.value} ${row.unit}`,
      row.bar,
      row.holds === null ? "" : row.holds ? "holds" : "MISSED",
    ]);
    const widths = [0, 1, 2, 3].map((column) =>
      Math.max(...rows.map((row) => (row[column] ?? "").length), 0),
    );
    for (const row of rows)
      process.stdout.write(
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
      );
  }
  if (bars.some((row) => row.holds === false)) process.exitCode = 1;
}

/** The middle value; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that so large a part of all is not above; NaN for none. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
