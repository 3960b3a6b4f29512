import { fstatSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { hostname } from "node:os";
import { join } from "node:path";

import type { Context } from "hono";
import { z } from "zod";

import { reasonOf } from "../base/errors.ts";
import { launcher } from "../launcher/client.ts";
import { archivesDirectory, directoriesFrom } from "../launcher/directories.ts";
import { indexBounds } from "../model/config/index-table.ts";
import { serviceSettings, type ServiceSettings } from "../model/config/service-table.ts";
import { KeptLogs } from "../pages/log/kept-logs.ts";
import { retestPolicyOf } from "../queue/admission/policy-of.ts";
import { keepHouse } from "../queue/housekeeper.ts";
import { probe } from "../store/probe.ts";
import { farmApi } from "../web/api/farm-api.ts";
import { authenticate } from "../web/authenticate.ts";
import { farmApp } from "../web/farm-app.ts";
import type { PagesDeps } from "../web/pages/page-deps.ts";
import { latePages } from "../web/pages/late-pages.ts";
import { isLoopback } from "../web/client-address.ts";
import { imageToTestOn } from "./farm/ensure-image.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { openHost } from "./farm/open-host.ts";
import { removeFarmFile, writeFarmFile } from "./farm/running-farm.ts";
import { storeLocation } from "./farm/store-location.ts";
import { collectIndexLoop } from "./index/collect-index-loop.ts";
import { pinsOf } from "./index/farm-pins.ts";
import { machineOption, parseOptions } from "./run-options.ts";
import { apiParts, nightlyExport } from "./service/api-parts.ts";
import { collectDaily } from "./service/collect-daily.ts";
import { runDeadMansSwitch } from "./service/dead-mans-switch.ts";
import { DiskGuard } from "./service/disk-guard.ts";
import { FarmFactsReader } from "./service/farm-facts.ts";
import { FarmLog, logFormOf } from "./service/farm-log.ts";
import { loginParts } from "./service/login-parts.ts";
import { FarmMetrics } from "./service/metrics.ts";
import { openService, retestEnvironmentOf } from "./service/open-service.ts";
import { noticesOf, sendNoticesLoop } from "./service/send-notices-loop.ts";
import { planRetestsLoop } from "./service/plan-retests-loop.ts";
import { operatorToken } from "./service/operator-token.ts";
import { newBoot, runHost, slotsOf } from "./service/run-host.ts";
import { serveFarm, type TlsText } from "./service/serve.ts";
import { statusSource } from "./service/status-source.ts";
import { WatchOver } from "./service/watch-over.ts";
import { VERSION } from "./version.ts";

const Options = z.object({
  config: z.string().optional(),
  image: z.string().optional(),
  machine: machineOption,
  worker: z.boolean().default(true),
});

/** Several coordinators share one store: each has a host of its own. */
const OWN_HOST = hostname() || "this-host";
const OWN_PLACE = { host: "127.0.0.1", port: 0 };
const MAX_PEM_BYTES = 1 << 20;

/**
 * `creamery up`: watchers, queue, workers, index and API on this host, until a signal ends it.
 * @returns 0 once all of it has stopped in good order.
 */
export async function upCommand(given: unknown, signal: AbortSignal): Promise<number> {
  const options = parseOptions(Options, given, "up");
  const log = new FarmLog(
    process.stdout,
    logFormOf(process.stdout.isTTY, process.env, fstatSync(1)),
  );
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
      onReplaced: (detail) => log.tell("housekeeping", { what: "index", detail }),
      env: process.env,
      signal,
    }),
  );
  const { bucket, place } = opened.use(await openFarmBucket(host.config, directories, process.env));
  const location = await storeLocation(host.config, directories);
  const settings = serviceSettings(host.config.service);
  const { watermarkBytes, logLevel } = settings;
  log.level = logLevel;
  const { data, cache } = directories;
  const disks: Readonly<Record<string, string>> = {
    data,
    cache,
    ...(place.startsWith("/") ? { bucket: place } : {}),
  };
  const guard = new DiskGuard({
    directories: [data, ...(place.startsWith("/") ? [place] : [])],
    watermarkBytes: watermarkBytes / 2,
    onChange: (reason) =>
      reason === null ? log.tell("disk-again", { path: data }) : log.tell("disk-low", { reason }),
  });
  const lack = () => guard.lack();
  const service = opened.use(
    await openService({
      host,
      location,
      settings,
      log,
      env: process.env,
      signal,
      metrics: () => metrics,
      lack,
    }),
  );
  const { queue, hosts, database } = service;
  const { leaseMs } = queue.policy;
  const over = new WatchOver({
    facts: new FarmFactsReader({
      database,
      hosts,
      watchers: () => service.watching.health,
      directories: disks,
    }),
    database,
    leaseMs,
    ownHost: options.worker ? OWN_HOST : null,
    watermarkBytes,
    onAlarm: ({ kind, subject, text, nextStep }) =>
      log.tell("alarm", { kind, subject, text, nextStep }),
    onOver: ({ kind, subject }) => log.tell("alarm-over", { kind, subject }),
  });
  const metrics = new FarmMetrics({
    facts: () => over.look(),
    alarms: () => over.alarms,
    version: VERSION,
  });
  const boot = newBoot();
  const notices = await noticesOf({ host, service, settings, metrics, log, holder: boot });
  const { principals } = service;
  const login = await loginParts(host, database, principals, launcher());
  const status = statusSource({ over, leaseMs, version: VERSION });
  const parts: PagesDeps = {
    ...apiParts({ host, service, bucket, live: service.live, status, log, version: VERSION }),
    ...login,
    publicUrl: settings.url,
    logs: opened.use(new KeptLogs({ bucket, directory: join(data, "shown-logs") })),
    promoteImage: async (channel, imageId) => {
      await launcher().request({ kind: "promote-image", channel, imageId });
    },
  };
  const peer = (context: Context) => service.webhooks.peer(context);
  const app = farmApp({
    principals,
    login,
    queue,
    bucket,
    index: (await host.index).farmIndex(
      (fault) => log.tell("housekeeping", { what: "index", detail: fault.line }),
      await host.mirrors,
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
    api: farmApi(parts),
    pages: latePages(async () => {
      const { pagesApp } = await import("../web/pages/pages-app.ts");
      return pagesApp(
        parts,
        authenticate({
          principals,
          peer,
          nowMs: Date.now,
          tokens: login.tokens,
          sessions: { book: login.sessions, methods: "all" },
        }),
      );
    }),
    ready: () => probe(database),
    metrics: () => metrics.text(),
    lack,
    onAnswered: (route, code, seconds) => metrics.answered(route, code, seconds),
    peer,
    nowMs: Date.now,
  });
  const serving = opened.use(await serveFarm(app, settings.listen, await readTls(settings.tls)));
  const tokenFile = await operatorToken(directories.data, principals, Date.now());
  // This host's own commands speak to it in plain words, wherever else it listens, and however.
  const isPlain = settings.tls === null && isLoopback(settings.listen.host);
  const own = isPlain ? serving : opened.use(await serveFarm(app, OWN_PLACE, null));
  await writeFarmFile(directories.data, { url: own.url, tokenFile });
  opened.defer(() => removeFarmFile(directories.data));
  log.tell("started", {
    url: serving.url,
    store: database.label,
    machine: host.machine.kind,
    image: host.image.id,
    slots: options.worker ? slotsOf(settings.slots) : 0,
  });

  const work = options.worker
    ? runHost(
        {
          host,
          coordinator: service.coordinatorOf(OWN_HOST, boot),
          boot,
          bucket,
          slots: settings.slots,
          log,
          version: VERSION,
          watermarkBytes,
        },
        signal,
      )
    : Promise.resolve();
  const ends = new AbortController();
  const either = AbortSignal.any([signal, ends.signal]);
  const pings = async (ping: ServiceSettings["ping"], until: AbortSignal): Promise<void> => {
    if (ping === null) return;
    const at = new URL(ping.url).host;
    await runDeadMansSwitch(
      {
        ...ping,
        ca: await host.authorities(),
        trouble: () => over.trouble(),
        onPing: (isAnswered) => metrics.pinged(isAnswered),
        onFault: (reason) =>
          reason === null
            ? log.tell("ping-answered", { host: at })
            : log.tell("ping-failing", { reason }),
        onSilence: (reason) =>
          reason === null ? log.tell("speaks-again", { host: at }) : log.tell("silent", { reason }),
      },
      until,
    );
  };
  const exportResults = nightlyExport(host, service, log, either);
  // The next hour tries it again.
  exportResults(Date.now(), true).catch((thrown: unknown) =>
    log.tell("housekeeping", { what: "export", detail: reasonOf(thrown) }),
  );
  const rest = Promise.all([
    service.watching.run(either),
    keepHouse(
      {
        queue,
        database,
        onRound: () => over.houseKept(),
        onReaped: ({ requeued, dead }) => {
          metrics.reaped(requeued.length, dead.length);
          log.tell("reaped", { requeued: requeued.length, dead: dead.length });
          for (const key of dead) log.tell("job-dead", { key });
        },
        onTrouble: (fault) =>
          fault === null
            ? log.tell("store-recovered", { store: database.label })
            : log.tell("store-trouble", { reason: reasonOf(fault) }),
        hourly: [
          (nowMs) => login.sessions.forget(nowMs),
          (nowMs) => service.deliveries.forget(nowMs - service.webhooks.keepMs),
          (nowMs) => exportResults(nowMs),
          collectDaily(host, service, bucket, place, log, either),
        ],
      },
      either,
    ),
    over.run(either),
    pings(settings.ping, either),
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
    sendNoticesLoop(notices, either),
    collectIndexLoop(
      {
        directory: join(cache, "index"),
        bounds: indexBounds(host.config),
        pins: pinsOf({ store: service.store, bucket, config: host.config, directories }),
        tell: (detail) => log.tell("housekeeping", { what: "index", detail }),
      },
      either,
    ),
    untilAborted(either),
  ]);
  // A process that is killed would keep nothing of what it compiled.
  flushCompileCache();
  try {
    // Whatever ends first by a fault ends the farm: somebody starts it again.
    await Promise.race([rest, work.then(() => rest)]);
  } finally {
    log.tell("stopping", { reason: signal.aborted ? "told to" : "a fault" });
    const began = performance.now();
    ends.abort();
    await Promise.allSettled([work, rest]);
    await serving[Symbol.asyncDispose]();
    log.tell("stopped", { seconds: Math.round(performance.now() - began) / 1000 });
  }
  return 0;
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
