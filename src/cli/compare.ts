import { availableParallelism } from "node:os";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { parseSides } from "../judge/change.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { imageToTestOn } from "./farm/ensure-image.ts";
import { openFarm } from "./farm/open-farm.ts";
import { fromOption, jobsOption, machineOption, parseOptions } from "./run-options.ts";
import { readProjects } from "./compare/read-projects.ts";
import { showsColour } from "./shows-colour.ts";
import type { Screen } from "./test/print-results.ts";
import { openProgress } from "./test/progress.ts";

const Options = z.object({
  projects: z.string(),
  on: z.string().optional(),
  from: fromOption,
  machine: machineOption,
  image: z.string().optional(),
  config: z.string().optional(),
  jobs: jobsOption,
  fresh: z.boolean().default(false),
  json: z.boolean().default(false),
});

/**
 * `creamery compare A B --projects FILE`: each project with A and with B, which differ in one thing.
 * @returns the exit code: 1 something is newly broken, 3 the farm gave no verdict somewhere, else 0.
 * @throws CreameryError whatever is wrong with what was typed or with the farm; what ends it early, once the rest is told.
 */
export async function compareCommand(
  a: string,
  b: string,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = parseOptions(Options, given, "compare");
  const sides = parseSides(a, b);
  const { change } = sides;
  if (options.on !== undefined && change.kind === "interpreter")
    throw new CreameryError("usage", "says configurations, as the sides do", {
      input: "--on",
      nextStep: "leave --on out",
    });
  if (options.image !== undefined && change.kind === "image")
    throw new CreameryError("usage", "says an image, as the sides do", {
      input: "--image",
      nextStep: "leave --image out",
    });
  const targets = await readProjects(options.projects, askerCwd(process.env), launcher());
  using progress = openProgress(process.stderr, process.env);
  const tell = (line: string) => progress.say(`creamery: ${line}`);
  const named = change.kind === "image" ? change.a : options.image;
  await using farm = await openFarm({
    config: options.config,
    machine: options.machine,
    image: async (imagesDir, own) =>
      await imageToTestOn(named, { imagesDir, launcher: own, force: false, signal, tell }),
    startAhead: 1,
    tell,
    env: process.env,
    signal,
  });
  const { openSettings } = await import("./compare/open-settings.ts");
  const { planCells } = await import("./compare/plan-cells.ts");
  const { runCells } = await import("./compare/run-cells.ts");
  const { CellStates } = await import("./compare/cell-state.ts");
  const print = await import("./compare/print-comparison.ts");
  const settings = await openSettings(change, farm, signal);
  const { from, fresh } = options;
  const on = options.on ?? "priority";
  const cells = await planCells({ change, settings, targets, on, from }, farm, signal);
  const ran = await runCells({
    farm,
    change,
    cells,
    states: new CellStates(directoriesFrom(process.env).data),
    from,
    fresh,
    atOnce: options.jobs ?? availableParallelism(),
    progress,
    signal,
  });
  progress[Symbol.dispose]();
  const { keepComparison } = await import("./compare/keep-comparison.ts");
  const comparison = await keepComparison(
    (told) => print.comparisonJson(sides, ran, told),
    farm.bucket,
    (fault) => process.stderr.write(`creamery: what was found could not be kept: ${fault}\n`),
  );
  const colour = showsColour(process.stdout, process.env);
  const screen: Screen = process.stdout;
  const { isTTY = false, columns = 0 } = screen;
  process.stdout.write(
    options.json
      ? `${JSON.stringify(comparison)}\n`
      : `\n${print.renderComparison(comparison, isTTY ? { colour, columns } : { colour })}`,
  );
  if (ran.fault !== undefined) {
    if (ran.left > 0)
      process.stderr.write("creamery: the same command goes on where this stopped\n");
    throw ran.fault;
  }
  return print.exitCodeOfComparison(comparison);
}
