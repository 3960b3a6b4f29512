import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import {
  listSnapshots,
  snapshotsDirectory,
  type SnapshotManifest,
} from "../launcher/qemu/snapshot-manifest.ts";
import { openQemuMachine } from "../machine/open-machine.ts";
import { guestSpec } from "../worker/guest-spec.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { imageToTestOn } from "./farm/ensure-image.ts";
import { readConfig } from "./farm/read-config.ts";
import { PROBE_STEP, SNAPSHOT_STEPS } from "./farm/snapshot-steps.ts";

export type SnapshotAction = "list" | "make" | "rm";

const Options = z.object({
  config: z.string().optional(),
  json: z.boolean().default(false),
  image: z.string().optional(),
});

/** `creamery snapshot list|make|rm`. @returns the exit code. */
export async function snapshotCommand(
  action: SnapshotAction,
  key: string | undefined,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  const directories = directoriesFrom(process.env);
  const directory = snapshotsDirectory(directories);
  switch (action) {
    case "list":
      return list(await listSnapshots(directory), options.json);
    case "make":
      return await make(options, join(directories.cache, "images"), signal);
    case "rm": {
      const wanted = key ?? "";
      const found = (await listSnapshots(directory)).filter((one) => one.key.startsWith(wanted));
      const [only] = found;
      if (only === undefined || found.length > 1)
        throw new CreameryError(
          "usage",
          only === undefined ? "there is no such snapshot" : "several snapshots begin so",
          { input: wanted, nextStep: "`creamery snapshot list` shows those that are there" },
        );
      await launcher().request({ kind: "remove-snapshot", key: only.key }, { signal });
      say(`removed ${only.key}`);
      return 0;
    }
  }
}

async function make(
  options: z.infer<typeof Options>,
  imagesDir: string,
  signal: AbortSignal,
): Promise<number> {
  const client = launcher();
  const { config } = await readConfig(options.config, askerCwd(), client);
  const image = await imageToTestOn(options.image, {
    imagesDir,
    launcher: client,
    force: false,
    signal,
    tell,
  });
  let made = false;
  await using machine = await openQemuMachine(client, {
    imageId: Promise.resolve(image.id),
    onProbe: () => tell(PROBE_STEP),
    onSnapshot: (step) => {
      made = true;
      tell(SNAPSHOT_STEPS[step]);
    },
  });
  const key = await machine.ensureSnapshot(guestSpec(machine, image.id, config.limits), signal);
  say(made ? `made ${key}` : `${key} is there`);
  return 0;
}

function list(snapshots: readonly SnapshotManifest[], json: boolean): number {
  if (json) {
    process.stdout.write(`${JSON.stringify({ schema: 1, snapshots })}\n`);
    return 0;
  }
  if (snapshots.length === 0)
    say("no snapshot yet; `creamery snapshot make`, or a test on qemu, makes one");
  for (const one of snapshots) say(described(one));
  return 0;
}

/** What a snapshot is of, how much of its memory was written to, and what running each program once before saved. */
export function described(one: SnapshotManifest): string {
  const { warmed } = one;
  const sum = (pick: (each: SnapshotManifest["warmed"][number]) => number) =>
    warmed.reduce((total, each) => total + pick(each), 0).toFixed(1);
  return [
    `${one.key}  ${one.imageId}  ${one.accelerator}  QEMU ${one.qemu}  made ${one.madeAt}`,
    `  for ${mib(one.memoryBytes)} of memory and ${mib(one.diskBytes)} of disk; ${mib(one.dirtyBytes)} of the machine's memory dirty, state ${Math.round(one.stateBytes / 1024)} KiB`,
    `  booted in ${one.bootSeconds.toFixed(1)} s, warmed in ${one.warmSeconds.toFixed(1)} s`,
    `  warming saves: ${sum((each) => each.firstSeconds)} s become ${sum((each) => each.secondSeconds)} s over ${warmed.length} programs (${warmed
      .map(
        ({ name, firstSeconds, secondSeconds }) =>
          `${name} ${firstSeconds.toFixed(1)} > ${secondSeconds.toFixed(1)}`,
      )
      .join(", ")})`,
  ].join("\n");
}

function mib(bytes: number): string {
  return `${Math.round(bytes / 1024 / 1024)} MiB`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tell(line: string): void {
  process.stderr.write(`creamery: ${line}\n`);
}
