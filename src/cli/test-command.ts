import { availableParallelism } from "node:os";
import { z } from "zod";

import { launcher } from "../launcher/client.ts";
import { parseTarget } from "../worker/sources/target.ts";
import { pastInstant } from "./test/past-instant.ts";
import { imageToTestOn } from "./farm/ensure-image.ts";
import { openFarm } from "./farm/open-farm.ts";
import { fromOption, jobsOption, machineOption, parseOptions } from "./run-options.ts";
import { assertReportPlace } from "./test/assert-report-place.ts";
import { openProgress } from "./test/progress.ts";

const Options = z.object({
  on: z.string().default("priority"),
  from: fromOption,
  machine: machineOption,
  image: z.string().optional(),
  at: z.string().optional(),
  config: z.string().optional(),
  jobs: jobsOption,
  json: z.boolean().default(false),
  junit: z.string().optional(),
  report: z.string().optional(),
  log: z.boolean().default(false),
});

/**
 * `creamery test TARGET…`: each target on each configuration, in fresh guests.
 * @returns the exit code: 0 all sound, 1 something failed, 3 the farm gave no verdict somewhere, or the image lacks what was asked for.
 * @throws CreameryError whatever is wrong with what was typed or with the farm; what ends it early, once the rest is told.
 */
export async function testCommand(
  words: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = parseOptions(Options, given, "test");
  // What was mistyped is told before anything is opened, or an image built.
  const targets = [...new Set(words)].map(parseTarget);
  const at = options.at === undefined ? null : pastInstant(options.at, new Date());
  if (options.junit !== undefined) await assertReportPlace(options.junit, launcher(), process.env);
  using progress = openProgress(process.stderr, process.env);
  const tell = (line: string) => progress.say(`creamery: ${line}`);
  // Where pages can't be written is told before anything is run, too.
  const report =
    options.report === undefined
      ? null
      : await (await import("./report/run-report.ts")).openRunReport(options.report, tell, signal);
  await using farm = await openFarm({
    config: options.config,
    machine: options.machine,
    image: async (imagesDir, own) =>
      await imageToTestOn(options.image, { imagesDir, launcher: own, force: false, signal, tell }),
    startAhead: 1,
    tell,
    env: process.env,
    signal,
  });
  // What a test needs besides is loaded while the first guest starts.
  const { planJobs } = await import("./test/plan-jobs.ts");
  const { runJobs } = await import("./test/run-jobs.ts");
  const { jobs, missing } = await planJobs(targets, { ...options, at }, farm, signal);
  const ran = await runJobs({
    farm,
    jobs,
    atOnce: options.jobs ?? availableParallelism(),
    reason: "manual",
    progress,
    log: options.log,
    signal,
  });
  progress[Symbol.dispose]();
  const { printResults } = await import("./test/print-results.ts");
  // Awaited here: the farm is closed before anybody else hears of a fault.
  return await printResults({ ...ran, missing }, { ...options, report }, farm);
}
