import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { imageConfigurations } from "../../image/image-configurations.ts";
import type { Bucket } from "../../bucket/bucket.ts";
import { parseRepositoryName } from "../../model/repository-name.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import { exportResults } from "../../store/export-results.ts";
import type { ApiDeps } from "../../web/api/api-deps.ts";
import type { StatusSource } from "../../web/api/schemas/status.ts";
import type { LiveEvents } from "../../web/live-events.ts";
import type { Host } from "../farm/open-host.ts";
import type { FarmLog } from "./farm-log.ts";
import type { Service } from "./open-service.ts";

const DAY_MS = 86_400_000;

export interface ApiPartsOptions {
  readonly host: Host;
  readonly service: Service;
  readonly bucket: Bucket;
  readonly live: LiveEvents;
  readonly status: StatusSource;
  readonly log: FarmLog;
  readonly version: string;
}

/** Where the nightly export of all public results lies. */
export function exportFile({ directories }: Pick<Host, "directories">): string {
  return join(directories.data, "export", "results.sqlite");
}

/** What the API answers from, out of this farm's parts. */
export function apiParts({
  host,
  service,
  bucket,
  live,
  status,
  log,
  version,
}: ApiPartsOptions): ApiDeps {
  const { database, queue, hosts, principals, audit, repositories } = service;
  return {
    database,
    queue,
    hosts,
    bucket,
    principals,
    audit,
    live,
    status,
    imagesDir: join(host.directories.cache, "images"),
    configurations: () =>
      Promise.resolve({ known: imageConfigurations(host.image), priority: host.config.priority }),
    // A repository that nobody configured may be anybody's own.
    visibilityOf: ({ kind, project }) =>
      host.config.projects.get(project)?.visibility ??
      (kind === "release" || repositories.some((one) => one.project === project)
        ? "public"
        : "private"),
    projectOf: (url) => {
      const name = parseRepositoryName(url);
      return repositories.find((one) => one.name === name)?.project ?? null;
    },
    exportFile: exportFile(host),
    nowMs: Date.now,
    newId: () => newAttemptId(),
    failed: (thrown) =>
      log.tell("api-failed", {
        reason: thrown instanceof Error ? (thrown.stack ?? "") : String(thrown),
      }),
    version,
  };
}

/**
 * Writes the export once a day: called each hour, with the instant now; and when the farm starts, of which there is none yet
 * (`isFirst`), since pages lead to it.
 */
export function nightlyExport(
  host: Host,
  service: Service,
  log: FarmLog,
  signal: AbortSignal,
): (nowMs: number, isFirst?: boolean) => Promise<void> {
  let lastMs = 0;
  return async (nowMs, isFirst = false) => {
    const path = exportFile(host);
    if (nowMs - lastMs < DAY_MS || (isFirst && existsSync(path))) return;
    await mkdir(join(path, ".."), { recursive: true });
    const { results } = await exportResults(service.database, path, { nowMs, signal });
    // The first of a new farm has little in it.
    if (!isFirst) lastMs = nowMs;
    log.tell("housekeeping", { what: "export", detail: `${results} results` });
  };
}
