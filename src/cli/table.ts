import { printableLine } from "../base/bounded-text.ts";
import { clipToWidth, displayWidth, padToWidth } from "./test/display-width.ts";

const GAP = "  ";
const MAX_COLUMNS = 60;

/** Rows below their heads, each column as wide as it needs to be; whole lines. What it is made of may come from anywhere. */
export function renderTable(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const shown = [heads, ...rows].map((row) =>
    row.map((cell) => clipToWidth(printableLine(cell), MAX_COLUMNS)),
  );
  const widths = heads.map((_, column) =>
    Math.max(...shown.map((row) => displayWidth(row[column] ?? ""))),
  );
  return shown
    .map((row) =>
      widths
        .map((width, column) => padToWidth(row[column] ?? "", width))
        .join(GAP)
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join("");
}

const STEPS = [
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
] as const;

/** `3 h`, `45 s`: as much of it as a person wants to know. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const step = STEPS.find(([size]) => whole >= 2 * size);
  return step === undefined ? `${whole} s` : `${Math.floor(whole / step[0])} ${step[1]}`;
}

/** How long ago an instant was, or how long it is until then. */
export function agoText(instant: string, nowMs: number): string {
  const seconds = (nowMs - Date.parse(instant)) / 1000;
  return seconds < -1 ? `in ${durationText(-seconds)}` : `${durationText(seconds)} ago`;
}
