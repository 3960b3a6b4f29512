const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

/** `0.18 s`, `5.9 s`, `42 s`, `12 min`, `3.4 h`, `2.1 d`. */
export function secondsText(seconds: number): string {
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 2 * MINUTE) return `${seconds.toFixed(0)} s`;
  if (seconds < 2 * HOUR) return `${(seconds / MINUTE).toFixed(0)} min`;
  if (seconds < 2 * DAY) return `${(seconds / HOUR).toFixed(1)} h`;
  return `${(seconds / DAY).toFixed(1)} d`;
}

/** With commas: `12,960`. */
export function countText(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Two digits that say something, whole dollars from a hundred up: `$0.00025`, `$0.38`, `$1,375`. */
export function dollarsText(dollars: number): string {
  if (dollars >= 100) return `$${countText(dollars)}`;
  if (dollars >= 1) return `$${dollars.toFixed(2)}`;
  if (dollars === 0) return "$0";
  return `$${dollars.toFixed(1 - Math.floor(Math.log10(dollars)))}`;
}

export function shareText(share: number): string {
  const percent = share * 100;
  return `${percent.toFixed(percent > 0 && percent < 10 ? 1 : 0)}%`;
}

/** Columns, the first to the left, all others to the right. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return lines.map((line) => `  ${line}\n`).join("");
}
