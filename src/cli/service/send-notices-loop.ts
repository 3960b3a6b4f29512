import { setTimeout as sleep } from "node:timers/promises";

import { lineOfFault } from "../../base/errors.ts";
import { launcher } from "../../launcher/client.ts";
import type { ServiceSettings } from "../../model/config/service-table.ts";
import type { NoticeTarget } from "../../notify/notice-target.ts";
import { planNotices } from "../../notify/plan-notices.ts";
import { NoticeSender } from "../../notify/send-notices.ts";
import { pathOf } from "../../pages/shell/place.ts";
import { whileSole } from "../../queue/sole-holder.ts";
import type { Database } from "../../store/database.ts";
import { forgetNotices, waitingNotices } from "../../store/sql/notice-rows.ts";
import type { Host } from "../farm/open-host.ts";
import type { FarmLog } from "./farm-log.ts";
import type { FarmMetrics } from "./metrics.ts";
import { noticeTargets } from "./notice-targets.ts";
import type { Service } from "./open-service.ts";

export interface SendNoticesOptions {
  readonly database: Database;
  /** Of this process. */
  readonly holder: string;
  readonly targets: readonly NoticeTarget[];
  readonly repositoryOf: (project: string) => string | null;
  readonly log: Pick<FarmLog, "tell">;
  readonly metrics: Pick<FarmMetrics, "noticeTried" | "noticesWaiting">;
}

/** Who is told of what, by this host's configuration. @throws CreameryError `configuration-file`. */
export async function noticesOf({
  host,
  service,
  settings,
  ...rest
}: Pick<SendNoticesOptions, "holder" | "log" | "metrics"> & {
  readonly host: Pick<Host, "config" | "authorities">;
  readonly service: Pick<Service, "database" | "repositories">;
  readonly settings: Pick<ServiceSettings, "url">;
}): Promise<SendNoticesOptions> {
  const { projects, allowedAddresses } = host.config;
  const { url } = settings;
  const { database, repositories } = service;
  return {
    ...rest,
    database,
    targets: await noticeTargets({
      projects: [...projects.values()].flatMap(({ notices }) => notices ?? []),
      outgoing: { allow: allowedAddresses, ca: host.authorities },
      urlOf: (id) => (url === null ? null : `${url}/${pathOf({ kind: "attempt", id })}`),
      launcher: launcher(),
    }),
    repositoryOf: (project) => repositories.find((one) => one.project === project)?.url ?? null,
  };
}

const EVERY_MS = 5000;
const HOUR_MS = 3_600_000;
/** So long it is known what was sent, and what was said of a commit. */
const KEEP_MS = 90 * 24 * HOUR_MS;

/** Plans and sends notices until the signal ends it. Of several coordinators of one PostgreSQL one does so. */
export async function sendNoticesLoop(
  options: SendNoticesOptions,
  signal: AbortSignal,
): Promise<void> {
  const { database, holder } = options;
  const work = (ends: AbortSignal) => sendAll(options, ends);
  if (database.kind === "sqlite") return await work(signal);
  await whileSole({ database, what: "notices", holder }, work, signal);
}

async function sendAll(options: SendNoticesOptions, signal: AbortSignal): Promise<void> {
  const { database, targets, log, metrics } = options;
  const sender = new NoticeSender({
    database,
    targets,
    events: {
      onTried: ({ kind }, delivery) => metrics.noticeTried(kind, delivery.kind),
      onFault: ({ kind, project }, reason) =>
        reason === null
          ? log.tell("notices-again", { project, target: kind })
          : log.tell("notices-failing", { project, target: kind, reason }),
      onLost: ({ kind, project }, end, reason) =>
        log.tell("notice-lost", { project, target: kind, how: end, reason }),
    },
  });
  let forgottenMs = 0;
  let isFailing = false;
  while (!signal.aborted) {
    try {
      while (!signal.aborted && (await planNotices(options)));
      while (!signal.aborted && (await sender.round(signal)));
      metrics.noticesWaiting(await database.read(waitingNotices));
      if (Date.now() - forgottenMs > HOUR_MS) {
        forgottenMs = Date.now();
        await database.write((within) => forgetNotices(within, forgottenMs - KEEP_MS));
      }
      isFailing = false;
    } catch (thrown) {
      // The store is away, which the housekeeper says too: what waits is there when it answers.
      if (!isFailing) log.tell("housekeeping", { what: "notices", detail: lineOfFault(thrown) });
      isFailing = true;
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
