import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";

import type { ResultJson } from "../../model/result-json.ts";
import type { TestedJob } from "../../worker/test-job.ts";
import type { Farm } from "../farm/open-farm.ts";
import { showsColour } from "../shows-colour.ts";
import { cellsOf } from "./cells.ts";
import { renderDetails } from "./details.ts";
import { exitCodeOf } from "./exit-code.ts";
import { renderJunit } from "./junit.ts";
import { renderMatrix } from "./matrix.ts";

export interface PrintOptions {
  readonly json: boolean;
  /** As typed after `--junit`. */
  readonly junit?: string | undefined;
}

/** @returns the command's exit code. @throws CreameryError `output-file`. */
export async function printResults(
  tested: readonly TestedJob[],
  { json, junit }: PrintOptions,
  farm: Pick<Farm, "launcher" | "cwd">,
): Promise<number> {
  const attempts = tested.map(({ attempt }) => attempt);
  if (json) {
    const result: ResultJson = { schema: 1, attempts };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  } else {
    const colour = showsColour(process.stdout, process.env);
    const look = process.stdout.isTTY ? { colour, columns: process.stdout.columns } : { colour };
    process.stdout.write(
      `\n${renderMatrix(cellsOf(attempts), look)}\n${renderDetails(attempts, colour)}`,
    );
  }
  if (junit !== undefined) {
    const content = "junit";
    await writeFile(farm.launcher.exchangePath(content), renderJunit(tested));
    await farm.launcher.request({
      kind: "write-user-file",
      path: resolve(farm.cwd, junit),
      content,
    });
  }
  return exitCodeOf(attempts);
}
