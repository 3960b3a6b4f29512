import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { AttemptJson, ResultJson } from "../../model/result-json.ts";
import type { Farm } from "../farm/open-farm.ts";
import { showsColour } from "../shows-colour.ts";
import { cellsOf } from "./cells.ts";
import { renderDetails } from "./details.ts";
import { exitCodeOf } from "./exit-code.ts";
import { renderJunit } from "../../pages/attempt/junit.ts";
import { renderMatrix } from "./matrix.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import { missingJson, renderMissing } from "./missing-cells.ts";
import { displayWidth } from "./display-width.ts";
import type { RunReport } from "../report/run-report.ts";
import type { RanJobs } from "./run-jobs.ts";

/** What came to its end, and what could not even begin. */
export interface ShownResults extends RanJobs {
  readonly missing?: readonly MissingCell[];
}

export interface PrintOptions {
  readonly json: boolean;
  /** As typed after `--junit`. */
  readonly junit?: string | undefined;
  /** Pages of the run as files. */
  readonly report?: RunReport | null;
}

/**
 * Shows what came to its end, whatever ended the rest.
 * @returns the command's exit code. @throws what ended the run early; CreameryError `output-file`.
 */
export async function printResults(
  { tested, fault, missing = [] }: ShownResults,
  { json, junit, report }: PrintOptions,
  farm: Pick<Farm, "launcher" | "cwd" | "store" | "bucket" | "workDirectory" | "directories">,
): Promise<number> {
  const attempts = tested.map(({ attempt }) => attempt);
  if (json) {
    const result: ResultJson = { schema: 1, attempts, missing: missing.map(missingJson) };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else if (attempts.length > 0 || missing.length > 0) {
    process.stdout.write(textOf(attempts, process.stdout, process.env, missing));
  }
  // Of several faults the first is the command's, most often what ended the run; the others must not be passed over.
  let first: unknown = fault;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    await work().catch((thrown: unknown) => {
      if (first === undefined) first = thrown;
      else process.stderr.write(`creamery: ${lineOf(thrown)}\n`);
    });
  };
  if (junit !== undefined)
    await attempt(async () => {
      const content = "junit";
      const text = renderJunit(tested, fault === undefined ? null : lineOf(fault), missing);
      await writeFile(farm.launcher.exchangePath(content), text);
      const path = resolve(farm.cwd, junit);
      await farm.launcher.request({ kind: "write-user-file", path, content });
    });
  if (report !== undefined && report !== null)
    await attempt(async () => {
      const ids = attempts.map(({ id }) => id);
      process.stderr.write(`creamery: ${await report.write(farm, ids, missing)}\n`);
    });
  if (first !== undefined) throw first;
  return exitCodeOf(attempts, missing);
}

function lineOf(fault: unknown): string {
  return fault instanceof CreameryError ? fault.line : reasonOf(fault);
}

/** Matrix and details; on a terminal the matrix once more, last, where the details have pushed it away. */
export function textOf(
  attempts: readonly AttemptJson[],
  output: Screen,
  env: Readonly<Record<string, string | undefined>>,
  missing: readonly MissingCell[] = [],
): string {
  const colour = showsColour(output, env);
  const { isTTY = false, columns = 0, rows = 0 } = output;
  const matrix = renderMatrix(cellsOf(attempts, missing), isTTY ? { colour, columns } : { colour });
  const details = `${renderDetails(attempts, colour)}${renderMissing(missing, attempts, colour)}`;
  const isPushedAway = isTTY && rows > 0 && rowsOf(details, columns) >= rows;
  return `\n${matrix}\n${details}${isPushedAway ? `\n${matrix}` : ""}`;
}

export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** How many rows of a terminal a text takes: long lines are folded. */
function rowsOf(text: string, columns: number): number {
  return stripVTControlCharacters(text)
    .split("\n")
    .reduce((sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / (columns || 80))), -1);
}
