import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { KeptLogs } from "../pages/log/kept-logs.ts";
import { numberText } from "../pages/shell/numbers.ts";
import { openDatabase } from "../store/open-database.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { readConfig } from "./farm/read-config.ts";
import { storeLocation } from "./farm/store-location.ts";
import { reportLine, reportPath, reportUrl } from "./report/report-place.ts";
import { planReport } from "./report/plan-report.ts";
import { UserTreeWriter } from "./report/user-tree-writer.ts";
import { writeReport } from "./report/write-report.ts";
import { openProgress } from "./test/progress.ts";

const MOST_NEWEST = 1000;
const NEWEST = 3;
/** Attempts between two lines of progress. */
const TOLD_EVERY = 500;

const Options = z.object({
  config: z.string().optional(),
  project: z.array(z.string()).default([]),
  private: z.boolean().default(false),
  newest: z.coerce.number().int().min(1).max(MOST_NEWEST).default(NEWEST),
  url: z.string().optional(),
});

/**
 * `creamery report DIR`: the pages of this host's farm as files, written with the rights of the person who asked.
 * @returns the exit code. @throws CreameryError `usage`, `unknown-project`, `output-file`, `disk-full`, `store`, `bucket`, `configuration-file`, `interrupted`.
 */
export async function reportCommand(
  directory: string,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = parse(given);
  const url = options.url === undefined ? null : reportUrl(options.url);
  const path = reportPath(directory);
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(options.config, askerCwd(), launcher());
  await using database = await openDatabase(await storeLocation(config, directories));
  await using opened = await openFarmBucket(config, directories, process.env);
  const { bucket } = opened;
  await using logs = new KeptLogs({ bucket, directory: join(directories.data, "shown-logs") });
  using progress = openProgress(process.stderr, process.env);
  const plan = await planReport(database, {
    projects: options.project,
    isPrivate: options.private,
    newest: options.newest,
  });
  const isPrivate = plan.holdsPrivate;
  await using sink = await UserTreeWriter.begin({ launcher: launcher(), path, isPrivate, signal });
  const tell = (line: string) => progress.say(`creamery: ${line}`);
  let attempts = 0;
  await writeReport({
    sources: { database, bucket, logs, imagesDir: join(directories.cache, "images") },
    plan,
    sink,
    url,
    tell,
    onAttempts: (count) => {
      attempts = count;
      if (count % TOLD_EVERY === 0) tell(`${numberText(count)} attempts are written`);
    },
    signal,
  });
  await sink.keep();
  process.stdout.write(`${reportLine(path, sink, { attempts, projects: plan.projects.length })}\n`);
  return 0;
}

function parse(given: unknown): z.infer<typeof Options> {
  const parsed = Options.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  throw new CreameryError("usage", `is no number of attempts, from 1 to ${MOST_NEWEST}`, {
    input: "--newest",
    nextStep: "see ./creamery report --help",
  });
}
