import { createHash } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { imageConfigurations } from "../../image/image-configurations.ts";
import type { RequestedConfiguration } from "../../queue/job.ts";
import { CreameryError } from "../../base/errors.ts";
import { ReleaseAdmission } from "../../queue/admission/admit.ts";
import { admissionPolicyOf } from "../../queue/admission/policy-of.ts";
import type { RetestEnvironment } from "../../queue/retests/plan-retests.ts";
import { Hosts } from "../../queue/hosts.ts";
import { Queue } from "../../queue/queue.ts";
import { queuePolicyOf, type ServiceSettings } from "../../model/config/service-table.ts";
import {
  NO_HOOK_SECRETS,
  secretsOfHosts,
  secretsOfProject,
  webhookSettings,
  type ConfiguredRepository,
  type HookSecrets,
} from "../../model/config/webhooks-table.ts";
import type { RepositoryName } from "../../model/repository-name.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { Database } from "../../store/database.ts";
import { openDatabase } from "../../store/open-database.ts";
import { SqlAudit } from "../../store/sql/sql-audit.ts";
import { SqlDeliveries } from "../../store/sql/sql-deliveries.ts";
import { SqlPrincipals } from "../../store/sql/sql-principals.ts";
import { SqlStore } from "../../store/sql/sql-store.ts";
import { planEvents, type PlannedProject } from "../../watch/plan-events.ts";
import { SqlWatchMemory } from "../../watch/sql-watch-memory.ts";
import { readHookSecrets } from "../../watch/webhooks/secrets-file.ts";
import type { WebhookDeps, WantedPush } from "../../web/webhooks.ts";
import type { FarmAppDeps } from "../../web/farm-app.ts";
import { LiveEvents } from "../../web/live-events.ts";
import { peerOf } from "../../web/peer-of.ts";
import { LocalCoordinator } from "../../worker/local-coordinator.ts";
import { findFarmUpstreams } from "../farm/find-farm-upstreams.ts";
import type { Host } from "../farm/open-host.ts";
import type { FarmLog } from "./farm-log.ts";
import { attemptWatcher } from "./live-parts.ts";
import { measuredDatabase } from "./measured-database.ts";
import type { FarmMetrics } from "./metrics.ts";
import { Watching } from "./watching.ts";

/** The coordinator's parts, opened: what `up` serves and runs. */
export interface Service extends AsyncDisposable {
  readonly database: Database;
  readonly queue: Queue;
  readonly hosts: Hosts;
  readonly store: SqlStore;
  readonly principals: SqlPrincipals;
  readonly audit: SqlAudit;
  readonly deliveries: SqlDeliveries;
  readonly watching: Watching;
  readonly live: LiveEvents;
  /** Configured ones, of which pushes are tested. */
  readonly repositories: readonly ConfiguredRepository[];
  /** Decides what becomes of releases. */
  readonly admission: ReleaseAdmission;
  readonly webhooks: WebhookDeps;
  readonly coordinatorOf: FarmAppDeps["coordinatorOf"];
}

export interface OpenServiceOptions {
  readonly host: Host;
  /** A path of SQLite's file, or PostgreSQL's URL. */
  readonly location: string;
  readonly settings: ServiceSettings;
  readonly log: FarmLog;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly metrics: () => FarmMetrics;
  /** Why the farm can take nothing more in at present; null where it can. */
  readonly lack: () => string | null;
}

/** @throws CreameryError `store`, `configuration-file`, `unreadable-path`. */
export async function openService(options: OpenServiceOptions): Promise<Service> {
  const { host, settings, log, signal } = options;
  const { config } = host;
  await using opened = new AsyncDisposableStack();
  const { metrics, lack } = options;
  const database = opened.use(
    measuredDatabase(await openDatabase(options.location), (seconds, isKept) =>
      metrics().wrote(seconds, isKept),
    ),
  );
  const queue = new Queue(database, {
    policy: queuePolicyOf(config.queue),
    newId: () => newAttemptId(),
    events: {
      onClaimed: (jobs) => metrics().claimed(jobs.length),
      onFinished: (finish) => metrics().finished(finish),
      onHostOut: ({ host: name, reason }) => {
        metrics().hostOut();
        log.tell("host-out", { host: name, reason });
      },
    },
  });
  const hosts = new Hosts(database);
  const store = new SqlStore(database);
  const deliveries = new SqlDeliveries(database);
  const configurations = () => configurationsOf(host);
  const repositories = repositoriesOf(host);
  const admission = new ReleaseAdmission(admissionPolicyOf(config.admission));
  const plan = planEvents({
    queue,
    kind: database.kind,
    configurations,
    projectOf: (project) => plannedProject(host, repositories, project),
    admission,
  });
  const memory = new SqlWatchMemory(database, {
    onEvents: async (within, events) => {
      // Nothing of it is kept, then, and the watcher sees it once more.
      const reason = lack();
      if (reason !== null) throw new CreameryError("disk-full", reason);
      await plan(within, events);
    },
  });
  const watching = new Watching({
    database,
    holder: newAttemptId(),
    memory,
    upstreams: () =>
      findFarmUpstreams(config, {
        signal,
        env: options.env,
        cacheDir: join(host.directories.cache, "index"),
        cratesIndex: null,
      }),
    allow: config.allowedAddresses,
    contact: settings.contact,
    requestsPerSecond: settings.requestsPerSecond,
    repositories: repositories.map(({ project, url, branches, tags }) => ({
      project,
      url,
      branches: [...branches],
      tags,
    })),
    gitDirectory: host.workDirectory,
    authorities: host.authorities,
    onEvents: () => queue.hint(),
    log,
  });
  const webhooks = await webhookDeps(options, settings, queue, deliveries, repositories);
  const live = opened.use(new LiveEvents());
  const watcher = attemptWatcher(live);
  const onDead = (keys: readonly string[]) => {
    for (const key of keys) log.tell("job-dead", { key });
  };
  const parts = opened.move();
  return {
    database,
    queue,
    hosts,
    store,
    principals: new SqlPrincipals(database),
    audit: new SqlAudit(database),
    deliveries,
    watching,
    live,
    repositories,
    admission,
    webhooks,
    coordinatorOf: (name, boot) =>
      new LocalCoordinator({ name, boot, queue, hosts, store, watcher, onDead }),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** All that the image has: the priority ones first, the rest when there is room. */
function configurationsOf({ image, config }: Host): readonly RequestedConfiguration[] {
  const priority = new Set(config.priority);
  return imageConfigurations(image).map((name) => ({
    name,
    lane: priority.has(name) ? ("priority" as const) : ("rest" as const),
  }));
}

/** What is tested again runs on: the priority configurations of the image that tests run on now. */
export function retestEnvironmentOf(host: Host): RetestEnvironment {
  const priority = new Set(
    configurationsOf(host).flatMap(({ name, lane }) => (lane === "priority" ? [name] : [])),
  );
  return {
    image: host.image.id,
    configurations: host.image.interpreters
      .filter(({ name }) => priority.has(name))
      .map(({ name, implementation, fullVersion }) => ({
        name,
        // As results say it (axesOf).
        interpreter: `${implementation}-${fullVersion}`,
      })),
  };
}

function repositoriesOf({ config }: Host): readonly ConfiguredRepository[] {
  return [...config.projects.values()].flatMap(({ repository }) => repository ?? []);
}

function plannedProject(
  { config }: Host,
  repositories: readonly ConfiguredRepository[],
  project: string,
): PlannedProject {
  const repository = repositories.find((one) => one.project === project)?.url ?? null;
  const told = config.projects.get(project)?.visibility ?? null;
  return { repository, visibility: told ?? "public" };
}

async function webhookDeps(
  { host, log, metrics }: OpenServiceOptions,
  { trustedProxies }: ServiceSettings,
  queue: Queue,
  deliveries: SqlDeliveries,
  repositories: readonly ConfiguredRepository[],
): Promise<WebhookDeps> {
  const { secretsFile, keepMs, maxBodyBytes } = webhookSettings(host.config.webhooks);
  const secrets: HookSecrets =
    secretsFile === null ? NO_HOOK_SECRETS : await readHookSecrets(secretsFile);
  const repositoryOf = (project: string) =>
    repositories.find((one) => one.project === project) ?? null;
  return {
    secretsOf: (project) =>
      project === null ? secretsOfHosts(secrets) : secretsOfProject(secrets, repositoryOf(project)),
    projectsOf: (repository: RepositoryName) =>
      repositories.filter(({ name }) => name === repository),
    repositoryOf,
    deliveries,
    enqueue: (push) => enqueuePush(push, host, queue),
    audit: ({ forge, outcome, status, reason }) => {
      metrics().hook(forge, outcome);
      log.tell("hook", { forge, outcome, status, reason });
    },
    peer: peerOf(blockListOf(trustedProxies)),
    nowMs: Date.now,
    pause: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => undefined),
    maxBodyBytes,
    keepMs,
  };
}

/** The same push, said again, is the same request. */
async function enqueuePush(
  { repository, reference, key }: WantedPush,
  host: Host,
  queue: Queue,
): Promise<readonly string[]> {
  const { project, url } = repository;
  const { name, kind, commit } = reference;
  const at = commit ?? name;
  const [enqueued] = await queue.enqueue([
    {
      id: createHash("sha256").update(key).digest("hex").slice(0, 24),
      project,
      visibility: plannedProject(host, [repository], project).visibility,
      word: `git+${url}@${at}`,
      version: at,
      line: kind === "tag" ? `refs/tags/${name}` : `refs/heads/${name}`,
      reason: "push",
      configurations: configurationsOf(host),
    },
  ]);
  return (enqueued?.jobs ?? []).map((job) => job.key);
}

function blockListOf(addresses: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of addresses) {
    const [address = "", prefix] = entry.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
