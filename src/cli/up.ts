import { join } from "node:path";

import { Hono } from "hono";
import { z } from "zod";

import { launcher } from "../launcher/client.ts";
import { archivesDirectory, directoriesFrom } from "../launcher/directories.ts";
import { retestPolicyOf } from "../queue/admission/policy-of.ts";
import { keepHouse } from "../queue/housekeeper.ts";
import { farmApp } from "../web/farm-app.ts";
import { LocalCoordinator } from "../worker/local-coordinator.ts";
import { imageToTestOn } from "./farm/ensure-image.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { openHost } from "./farm/open-host.ts";
import { FarmLog } from "./service/farm-log.ts";
import { writeFarmAddress } from "./service/farm-address-file.ts";
import { openService, retestEnvironmentOf } from "./service/open-service.ts";
import { planRetestsLoop } from "./service/plan-retests-loop.ts";
import { operatorToken } from "./service/operator-token.ts";
import { newBoot, runHost, slotsOf } from "./service/run-host.ts";
import { serveFarm, type TlsText } from "./service/serve.ts";

const Options = z.object({
  config: z.string().optional(),
  image: z.string().optional(),
  machine: z.enum(["auto", "qemu", "gvisor", "container"]).default("auto"),
  worker: z.boolean().default(true),
});

const VERSION = "0.1.0";
const OWN_HOST = "this-host";
const MAX_PEM_BYTES = 1 << 20;

/**
 * `creamery up`: watchers, queue, workers, index and API on this host, until a signal ends it.
 * @returns 0 once all of it has stopped in good order.
 */
export async function upCommand(given: unknown, signal: AbortSignal): Promise<number> {
  const options = Options.parse(given);
  const log = new FarmLog(process.stdout, process.stdout.isTTY);
  const tell = (line: string) => log.tell("housekeeping", { what: "start", detail: line });
  const directories = directoriesFrom(process.env);
  await using opened = new AsyncDisposableStack();
  const host = opened.use(
    await openHost({
      config: options.config,
      machine: options.machine,
      image: (imagesDir, own) =>
        imageToTestOn(options.image, { imagesDir, launcher: own, force: false, signal, tell }),
      startAhead: 0,
      tell,
      env: process.env,
      signal,
    }),
  );
  const { bucket } = opened.use(await openFarmBucket(host.config, directories, process.env));
  const location = join(directories.data, "store.sqlite");
  const service = opened.use(await openService({ host, location, log, env: process.env, signal }));
  const { queue, hosts, store, database, settings } = service;
  const app = farmApp({
    principals: service.principals,
    queue,
    bucket,
    index: (await host.index).farmIndex((fault) =>
      log.tell("housekeeping", { what: "index", detail: fault.line }),
    ),
    images: {
      imagesDir: join(directories.cache, "images"),
      archivesDir: archivesDirectory(directories),
      pack: (imageId, ends) =>
        launcher().request({ kind: "pack-image", imageId }, { signal: ends }),
      signal,
    },
    webhooks: service.webhooks,
    farm: { image: host.image.id, version: VERSION },
    coordinatorOf: service.coordinatorOf,
    api: new Hono(),
    ready: async () => {
      await database.read((db) => db.selectFrom("farm_setting").select("name").limit(1).execute());
    },
    metrics: async () => ({ text: "", type: "text/plain" }),
    peer: service.webhooks.peer,
    nowMs: Date.now,
  });
  const serving = opened.use(await serveFarm(app, settings.listen, await readTls(settings.tls)));
  const tokenFile = await operatorToken(directories.data, service.principals, Date.now());
  opened.use(
    await writeFarmAddress(directories.data, { url: serving.url, tokenFile, pid: process.pid }),
  );
  log.tell("started", {
    url: serving.url,
    store: database.label,
    machine: host.machine.kind,
    image: host.image.id,
    slots: options.worker ? slotsOf(settings.slots) : 0,
  });

  const boot = newBoot();
  const work = options.worker
    ? runHost(
        {
          host,
          coordinator: new LocalCoordinator({ name: OWN_HOST, boot, queue, hosts, store }),
          boot,
          bucket,
          slots: settings.slots,
          log,
          version: VERSION,
        },
        signal,
      )
    : Promise.resolve();
  const ends = new AbortController();
  const either = AbortSignal.any([signal, ends.signal]);
  const rest = Promise.all([
    service.watching.run(either),
    keepHouse(
      {
        queue,
        database,
        onReaped: ({ requeued, dead }) => {
          log.tell("reaped", { requeued: requeued.length, dead: dead.length });
          for (const key of dead) log.tell("job-dead", { key });
        },
        onTrouble: (fault) =>
          fault === null
            ? log.tell("store-recovered", { store: database.label })
            : log.tell("store-trouble", { reason: String(fault) }),
        hourly: [(nowMs) => service.deliveries.forget(nowMs - keepMsOf(service))],
      },
      either,
    ),
    planRetestsLoop(
      {
        database,
        queue,
        policy: retestPolicyOf(host.config.retest),
        environment: retestEnvironmentOf(host),
        admission: service.admission,
        log,
      },
      either,
    ),
    untilAborted(either),
  ]);
  try {
    // Whatever ends first by a fault ends the farm: somebody starts it again.
    await Promise.race([rest, work.then(() => rest)]);
  } finally {
    log.tell("stopping", { reason: signal.aborted ? "told to" : "a fault" });
    ends.abort();
    await Promise.allSettled([work, rest]);
  }
  return 0;
}

function keepMsOf(service: { readonly webhooks: { readonly keepMs: number } }): number {
  return service.webhooks.keepMs;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function readTls(
  tls: { readonly cert: string; readonly key: string } | null,
): Promise<TlsText | null> {
  if (tls === null) return null;
  const read = async (path: string) =>
    (await launcher().request({ kind: "read-user-text", path, maxBytes: MAX_PEM_BYTES })).text;
  return { cert: await read(tls.cert), key: await read(tls.key) };
}
