import { z } from "zod";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { capacityOf } from "../judge/capacity/capacity.ts";
import { chooseFigures } from "../judge/capacity/choose-figures.ts";
import { readMeasured } from "../judge/capacity/read-measured.ts";
import { notePricePerHour } from "../judge/capacity/sums.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { renderCapacity, type CapacityAnswer } from "./capacity/render-capacity.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openFarmStore } from "./farm/open-farm-store.ts";
import { readConfig } from "./farm/read-config.ts";
import { storeLocation } from "./farm/store-location.ts";
import { openProgress } from "./test/progress.ts";

const MACHINES = ["qemu", "gvisor", "container"] as const;
const [MOST_CORES, MOST_CONFIGURATIONS, MOST_RELEASES, MOST_DOLLARS] = [128, 100, 1000, 10_000];
const MOST_JOBS = 1_000_000;

const Options = z.object({
  // The note's host, and what the image has.
  cores: z.coerce.number().int().min(1).max(MOST_CORES).default(8),
  configurations: z.coerce.number().int().min(1).max(MOST_CONFIGURATIONS).default(9),
  releasesPerMinute: z.coerce.number().positive().max(MOST_RELEASES).default(9),
  pricePerHour: z.coerce.number().positive().max(MOST_DOLLARS).optional(),
  seed: z.coerce.number().int().min(0).max(0xffff_ffff).default(1),
  machine: z.enum(MACHINES).optional(),
  config: z.string().optional(),
  json: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

/**
 * `creamery capacity`: what this farm's own attempts cost, what some cores keep up with, and who waits (docs/capacity.md).
 * @returns the exit code. @throws CreameryError `usage`, `store`, `configuration-file`, `interrupted`.
 */
export async function capacityCommand(given: unknown, signal: AbortSignal): Promise<number> {
  const options = asOptions(given);
  const { cores, configurations, releasesPerMinute, seed } = options;
  assertSimulable(options);
  const { config } = await readConfig(options.config, askerCwd(), launcher());
  await using store = await openFarmStore(
    await storeLocation(config, directoriesFrom(process.env)),
  );
  const own = await readMeasured(store, signal);
  const { attempts, ...figures } = chooseFigures(own, options.machine);
  using progress = openProgress(process.stderr, process.env);
  progress.say(`creamery: simulating a day of ${cores} cores; about half a minute for each eight`);
  const demand = {
    releasesPerMinute,
    configurations,
    coresPerHost: cores,
    dollarsPerHour: options.pricePerHour ?? notePricePerHour(cores),
  };
  const capacity = await capacityOf(attempts, {
    demand,
    priorityConfigurations: config.priority.length,
    seed,
    signal,
  });
  progress[Symbol.dispose]();
  const answer: CapacityAnswer = {
    schema: 1,
    figures: { ...figures, attempts: attempts.length },
    demand,
    price: options.pricePerHour === undefined ? "note" : "given",
    seed,
    ...capacity,
  };
  process.stdout.write(options.json ? `${JSON.stringify(answer)}\n` : renderCapacity(answer));
  return 0;
}

/** All of a day lies in memory. @throws CreameryError `usage`. */
function assertSimulable({ releasesPerMinute, configurations }: Options): void {
  if (releasesPerMinute * 1440 * configurations <= MOST_JOBS) return;
  throw new CreameryError(
    "usage",
    `is more than the ${MOST_JOBS / 1e6} million jobs of a day that are simulated`,
    {
      input: `${releasesPerMinute} releases a minute in ${configurations} configurations`,
      nextStep: "ask for a part of it, with as large a part of the cores",
    },
  );
}

/** @throws CreameryError `usage` for a value that an option can't have. */
function asOptions(given: unknown): Options {
  const parsed = Options.safeParse(given);
  if (parsed.success) return parsed.data;
  const name = String(parsed.error.issues[0]?.path[0] ?? "");
  const typed = z.record(z.string(), z.unknown()).safeParse(given).data?.[name];
  const flag = name.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`);
  const nextStep = ALLOWED[name];
  throw new CreameryError("usage", "is no value of this option", {
    input: clip(printableLine(`--${flag} ${typeof typed === "string" ? typed : ""}`), 100),
    nextStep: nextStep === undefined ? "see ./creamery capacity --help" : `write ${nextStep}`,
  });
}

const ALLOWED: Readonly<Record<string, string>> = {
  cores: `a number from 1 to ${MOST_CORES}`,
  configurations: `a number from 1 to ${MOST_CONFIGURATIONS}`,
  releasesPerMinute: `a number above 0, to ${MOST_RELEASES}`,
  pricePerHour: `dollars for an hour of one host, above 0, to ${MOST_DOLLARS}`,
  seed: "a whole number, 0 or more",
  machine: `${MACHINES.slice(0, -1).join(", ")} or ${MACHINES.at(-1)}`,
};
