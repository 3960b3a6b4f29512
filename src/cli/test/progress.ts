import { LiveRows } from "./live-rows.ts";
import { PlainLines } from "./plain-lines.ts";
import {
  systemClock,
  type Progress,
  type ProgressClock,
  type ProgressOutput,
} from "./progress-row.ts";

export type { Progress, ProgressClock, ProgressOutput } from "./progress-row.ts";

/**
 * What runs now: a live row for each attempt on a terminal; plain lines without any control code when
 * the output is none, `NO_COLOR` is set (https://no-color.org) or `TERM` is `dumb`.
 * @param output usually standard error.
 */
export function openProgress(
  output: ProgressOutput,
  env: Readonly<Record<string, string | undefined>>,
  clock: ProgressClock = systemClock,
): Progress {
  const live = output.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  return live ? new LiveRows(output, clock) : new PlainLines(output, clock);
}
