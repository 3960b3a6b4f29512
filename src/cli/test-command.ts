import { availableParallelism } from "node:os";
import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { parseTarget } from "../worker/sources/target.ts";
import { ensureImage } from "./farm/ensure-image.ts";
import { openFarm } from "./farm/open-farm.ts";
import { openProgress } from "./test/progress.ts";

const Options = z.object({
  on: z.string().default("priority"),
  from: z.enum(["auto", "sdist"]).default("auto"),
  machine: z.enum(["auto", "gvisor", "container"]).default("auto"),
  config: z.string().optional(),
  jobs: z.coerce.number().int().min(1).max(256).optional(),
  json: z.boolean().default(false),
  junit: z.string().optional(),
  log: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/**
 * `creamery test TARGET…`: each target on each configuration, in fresh guests.
 * @returns the exit code: 0 all sound, 1 something failed, 3 the farm gave no verdict somewhere.
 * @throws CreameryError whatever is wrong with what was typed or with the farm.
 */
export async function testCommand(
  words: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = asOptions(given);
  // What was mistyped is told before anything is opened, or an image built.
  const targets = words.map(parseTarget);
  using progress = openProgress(process.stderr, process.env);
  await using farm = await openFarm({
    config: options.config,
    machine: options.machine,
    image: async (imagesDir, launcher) => {
      const tell = (line: string) => progress.say(`creamery: ${line}`);
      return (await ensureImage({ imagesDir, launcher, force: false, signal, tell })).image;
    },
    startAhead: 1,
    env: process.env,
    signal,
  });
  // What a test needs besides is loaded while the first guest starts.
  const { planJobs } = await import("./test/plan-jobs.ts");
  const { runJobs } = await import("./test/run-jobs.ts");
  const { echoTo } = await import("./test/echo.ts");
  const jobs = await planJobs(targets, options, farm, signal);
  const tested = await runJobs({
    farm,
    jobs,
    atOnce: options.jobs ?? availableParallelism(),
    reason: "manual",
    progress,
    ...(options.log ? { echo: echoTo(progress) } : {}),
    signal,
  });
  progress[Symbol.dispose]();
  const { printResults } = await import("./test/print-results.ts");
  return printResults(tested, options, farm);
}

/** @throws CreameryError `usage` for a value that an option can't have. */
function asOptions(given: unknown): Options {
  const parsed = Options.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CreameryError("usage", issue?.message ?? "can't be read", {
    input: `--${issue?.path.join(".") ?? ""}`,
    nextStep: "see ./creamery test --help",
  });
}
