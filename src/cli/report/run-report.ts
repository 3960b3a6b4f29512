import { join } from "node:path";

import { launcher } from "../../launcher/client.ts";
import type { MissingCell } from "../../model/missing-cell.ts";
import { runPage } from "../../pages/files/run-page.ts";
import { KeptLogs } from "../../pages/log/kept-logs.ts";
import type { Farm } from "../farm/open-farm.ts";
import { planRun } from "./plan-report.ts";
import { reportLine, reportPath } from "./report-place.ts";
import { openRunStore } from "./run-store.ts";
import { UserTreeWriter } from "./user-tree-writer.ts";
import { writeReport } from "./write-report.ts";

type Source = Pick<Farm, "store" | "bucket" | "workDirectory" | "directories">;

/** Pages of one run as files: `--report DIR`. */
export interface RunReport {
  /**
   * Of what came to its end. It is not interrupted: what ended the run early is no reason to lose its pages.
   * @param ids of attempts, in the order in which they are shown.
   * @returns a line for the person who asked. @throws CreameryError `output-file`, `disk-full`, `store`, `bucket`.
   */
  write(farm: Source, ids: readonly string[], missing: readonly MissingCell[]): Promise<string>;
}

/** @param typed a directory. @throws CreameryError `usage`, `output-file` where no report may be written there. */
export async function openRunReport(
  typed: string,
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<RunReport> {
  const path = reportPath(typed);
  // What can't be written is told before anything is run; until there is something to write, nothing is left there.
  const begun = await UserTreeWriter.begin({
    launcher: launcher(),
    path,
    isPrivate: true,
    signal,
  });
  await begun[Symbol.asyncDispose]();
  return { write: (farm, ids, missing) => writeRun(path, tell, farm, ids, missing) };
}

async function writeRun(
  path: string,
  tell: (line: string) => void,
  { store, bucket, workDirectory, directories }: Source,
  ids: readonly string[],
  missing: readonly MissingCell[],
): Promise<string> {
  const { signal } = new AbortController();
  await using run = await openRunStore(store, ids, workDirectory);
  await using logs = new KeptLogs({ bucket, directory: join(directories.data, "shown-logs") });
  const plan = planRun([...run.attempts, ...run.confirming]);
  const isPrivate = plan.holdsPrivate;
  await using sink = await UserTreeWriter.begin({ launcher: launcher(), path, isPrivate, signal });
  let attempts = 0;
  await writeReport({
    sources: { database: run.database, bucket, logs, imagesDir: null },
    plan,
    sink,
    url: null,
    front: (context) =>
      runPage({ attempts: run.attempts, missing: missing.map(missingLine) }, context),
    tell,
    onAttempts: (count) => {
      attempts = count;
    },
    signal,
  });
  await sink.keep();
  return reportLine(path, sink, { attempts, projects: plan.projects.length });
}

function missingLine({ project, version, configuration, reason, nextStep }: MissingCell): string {
  return `${[project, version].join(" ").trim()} on ${configuration}: ${reason}; next: ${nextStep}`;
}
