import { fstatSync } from "node:fs";
import { join, resolve } from "node:path";
import { writeFile } from "node:fs/promises";

import { z } from "zod";

import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { indexBounds } from "../model/config/index-table.ts";
import { serviceSettings } from "../model/config/service-table.ts";
import { openFarmClient, PATIENT_RETRIES, type FarmClient } from "../worker/farm-client.ts";
import { openFarmIndex } from "../worker/farm-index.ts";
import { FarmRepositoryHosts } from "../worker/farm-repository-hosts.ts";
import { fetchImage } from "../worker/fetch-image.ts";
import { RemoteBucket } from "../worker/remote-bucket.ts";
import { RemoteCoordinator } from "../worker/remote-coordinator.ts";
import { FarmJson } from "../worker/wire.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openHost } from "./farm/open-host.ts";
import { collectIndexLoop } from "./index/collect-index-loop.ts";
import { NO_PINS } from "./index/farm-pins.ts";
import { FarmLog, logFormOf } from "./service/farm-log.ts";
import { jobsOption, machineOption, parseOptions } from "./run-options.ts";
import { newBoot, runHost, slotsOf } from "./service/run-host.ts";
import { VERSION } from "./version.ts";

const Options = z.object({
  farm: z.string(),
  tokenFile: z.string(),
  caFile: z.string().optional(),
  config: z.string().optional(),
  machine: machineOption,
  slots: jobsOption,
});

const MAX_TOKEN_BYTES = 4096;
const MAX_PEM_BYTES = 1 << 20;

/**
 * `creamery worker`: one more host of a farm elsewhere, until a signal ends it. What runs then is given back.
 * @throws CreameryError `farm-refused`, `configuration-file`, and what opening a host throws.
 */
export async function workerCommand(given: unknown, signal: AbortSignal): Promise<number> {
  const options = parseOptions(Options, given, "worker");
  const log = new FarmLog(
    process.stdout,
    logFormOf(process.stdout.isTTY, process.env, fstatSync(1)),
  );
  const tell = (line: string) => log.tell("housekeeping", { what: "start", detail: line });
  const directories = directoriesFrom(process.env);
  // Read with the rights of the person who asks, and kept where the farm's own user alone reads.
  const tokenFile = await brought(options.tokenFile, "token", MAX_TOKEN_BYTES);
  const caFile =
    options.caFile === undefined
      ? undefined
      : await brought(options.caFile, "authorities.pem", MAX_PEM_BYTES);
  const settings = {
    url: options.farm,
    tokenFile,
    ...(caFile === undefined ? {} : { caFile }),
  };
  // A farm that was never there is told soon.
  using first = await openFarmClient(settings);
  using farm = await openFarmClient(settings, PATIENT_RETRIES);
  await using opened = new AsyncDisposableStack();
  const host = opened.use(
    await openHost({
      config: options.config,
      machine: options.machine,
      image: async () =>
        await fetchImage(await imageOf(first, signal), {
          farm,
          launcher: launcher(),
          directories,
          signal,
          onProgress: ({ step, bytesDone, bytesTotal }) => {
            if (bytesTotal === 0 || bytesDone === bytesTotal) tell(`image: ${step}`);
          },
        }),
      index: (directory, repositories) => openFarmIndex({ farm, directory, repositories, signal }),
      hosts: (wanted) => new FarmRepositoryHosts(farm, wanted),
      startAhead: 0,
      tell,
      env: process.env,
      signal,
    }),
  );
  const bucket = await RemoteBucket.open({ farm, directory: join(directories.data, "spool") });
  const { watermarkBytes, logLevel } = serviceSettings(host.config.service);
  log.level = logLevel;
  const boot = newBoot();
  const slots = options.slots ?? null;
  log.tell("started", {
    url: farm.address.api,
    store: "the farm's",
    machine: host.machine.kind,
    image: host.image.id,
    slots: slotsOf(slots),
  });
  const coordinator = new RemoteCoordinator(farm, boot);
  const ends = new AbortController();
  const collecting = collectIndexLoop(
    {
      directory: join(directories.cache, "index"),
      bounds: indexBounds(host.config),
      // What attempts name is kept by the farm: this is a copy.
      pins: NO_PINS,
      tell: (detail) => log.tell("housekeeping", { what: "index", detail }),
    },
    AbortSignal.any([signal, ends.signal]),
  );
  try {
    await runHost(
      { host, coordinator, boot, bucket, slots, log, version: VERSION, watermarkBytes },
      signal,
    );
  } finally {
    ends.abort();
    await collecting;
  }
  log.tell("stopping", { reason: "told to" });
  return 0;
}

async function brought(given: string, name: string, maxBytes: number): Promise<string> {
  const path = resolve(askerCwd(), given);
  const { text } = await launcher().request({ kind: "read-user-text", path, maxBytes });
  const at = join(launcher().sessionDirectory, "exchange", name);
  await writeFile(at, text, { mode: 0o600 });
  return at;
}

/** What the farm tests on. */
async function imageOf(farm: FarmClient, signal: AbortSignal): Promise<string> {
  return (await farm.json({ path: "worker/farm", signal }, FarmJson)).image;
}
