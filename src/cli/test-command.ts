import { availableParallelism } from "node:os";
import { join } from "node:path";
import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { limitsFor } from "../model/config/farm-config.ts";
import { parseConfigurations } from "../model/configuration-name.ts";
import { newAttemptId } from "../store/attempt-id.ts";
import type { AttemptJob, ResolvedSource } from "../worker/attempt-job.ts";
import { keepSource } from "../worker/keep-attempt.ts";
import { resolveSource } from "../worker/sources/resolve-source.ts";
import { parseTarget, type Target } from "../worker/sources/target.ts";
import { ensureImage } from "./farm/ensure-image.ts";
import { openFarm, type Farm } from "./farm/open-farm.ts";
import { echoTo } from "./test/echo.ts";
import { printResults } from "./test/print-results.ts";
import { openProgress } from "./test/progress.ts";
import { runJobs } from "./test/run-jobs.ts";

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
  const targets = words.map(parseTarget);
  using progress = openProgress(process.stderr, process.env);
  const atOnce = options.jobs ?? availableParallelism();
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
  const jobs = await planJobs(targets, options, farm, signal);
  const tested = await runJobs({
    farm,
    jobs,
    atOnce,
    reason: "manual",
    progress,
    ...(options.log ? { echo: echoTo(progress) } : {}),
    signal,
  });
  progress[Symbol.dispose]();
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

async function planJobs(
  targets: readonly Target[],
  options: Options,
  farm: Farm,
  signal: AbortSignal,
): Promise<AttemptJob[]> {
  const { image, config } = farm;
  const configurations = parseConfigurations(options.on, {
    known: image.interpreters.map(({ name }) => name),
    priority: config.priority,
  });
  const context = {
    index: () => farm.index,
    launcher: farm.launcher,
    cwd: farm.cwd,
    directory: join(farm.launcher.sessionDirectory, "exchange"),
    allow: config.allowedAddresses,
  };
  const sources = await Promise.all(
    targets.map((target) => resolveSource(target, context, signal)),
  );
  const jobs: AttemptJob[] = [];
  for (const source of sources) {
    await keepSource(source, farm.bucket, signal);
    jobs.push(...(await jobsOf(source, configurations, options, farm)));
  }
  return jobs;
}

async function jobsOf(
  source: ResolvedSource,
  configurations: readonly string[],
  options: Options,
  farm: Farm,
): Promise<AttemptJob[]> {
  const override = await farm.overrideOf(source.project);
  const plan = override?.plan ?? null;
  return configurations.flatMap((configuration) => {
    const interpreter = farm.image.interpreters.find(({ name }) => name === configuration);
    if (interpreter === undefined) return [];
    return {
      attemptId: newAttemptId(),
      configuration,
      interpreter,
      imageId: farm.image.id,
      source,
      buildFrom: options.from,
      limits: limitsFor(farm.config, override),
      ...(plan === null ? {} : { override: plan }),
    };
  });
}
