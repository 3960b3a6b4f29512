import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";

import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError, diskFullFault } from "../base/errors.ts";
import type { Bucket } from "../bucket/bucket.ts";
import { policyFrom } from "../bucket/retention/retention-facts.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { checkStore, type StoreState } from "../store/check/check-store.ts";
import { isPostgresqlUrl } from "../store/postgresql-url.ts";
import type { StoredAttempt } from "../store/store.ts";
import { backupStore } from "../store/transfer/backup-store.ts";
import { exportStore } from "../store/transfer/export-store.ts";
import { importStore } from "../store/transfer/import-store.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { openFarmBucket } from "./farm/open-farm-bucket.ts";
import { readConfig } from "./farm/read-config.ts";
import { storeLocation } from "./farm/store-location.ts";

export type StoreAction = "backup" | "check" | "export" | "import";

const Options = z.object({
  config: z.string().optional(),
  store: z.string().optional(),
  into: z.string().optional(),
  bucket: z.boolean().default(false),
  json: z.boolean().default(false),
});

const STANDARD = "-";
const MOST_BYTES = 2 ** 50;
const DAY_MS = 24 * 3_600_000;

/**
 * `creamery store backup|check|export|import`. The store is opened by the farm's own user; files are written and read with
 * the rights of the person who asked.
 * @returns the exit code: 1 where `check` finds something that is not sound.
 * @throws CreameryError `store`, `bad-archive`, `usage`, `output-file`, `no-such-path`, `configuration-file`, `interrupted`.
 */
export async function storeCommand(
  action: StoreAction,
  file: string | undefined,
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = Options.parse(given ?? {});
  const directories = directoriesFrom(process.env);
  const { config } = await readConfig(options.config, askerCwd(), launcher());
  const named = options.into ?? options.store;
  const location =
    named === undefined
      ? await storeLocation(config, directories)
      : locationOf(named, options.into === undefined ? "--store" : "--into");
  switch (action) {
    case "backup":
      return await backup(location, file ?? "", signal);
    case "export":
      return await exportTo(location, file ?? "", signal);
    case "import":
      return await importFrom(location, file ?? "", signal);
    case "check": {
      await using opened = options.bucket
        ? await openFarmBucket(config, directories, process.env)
        : null;
      const youngMs = Date.now() - policyFrom(config.retention).days * DAY_MS;
      const state = await checkStore(location, {
        signal,
        ...(opened === null
          ? {}
          : { elsewhere: (stored) => missingIn(opened.bucket, stored, youngMs) }),
      });
      const { label, ...rest } = state;
      say(options.json ? JSON.stringify({ schema: 1, store: label, ...rest }) : stateText(state));
      return state.faults.length === 0 ? 0 : 1;
    }
  }
}

/** As a person types it. @throws CreameryError `usage`. */
function locationOf(named: string, option: string): string {
  if (isPostgresqlUrl(named)) return named;
  // Whatever else looks like a URL is none of a store, and may hold a password.
  if (named === "" || /^[a-z][a-z0-9+.-]*:\/\//iu.test(named))
    throw new CreameryError("usage", "names no store", {
      input: option,
      nextStep: "write a path of SQLite's file, or postgres://user@host/name",
    });
  return resolve(askerCwd(), named);
}

async function backup(location: string, file: string, signal: AbortSignal): Promise<number> {
  const path = pathOf(file);
  const content = "store-backup";
  const { kind, sizeBytes } = await backupStore(location, launcher().exchangePath(content), {
    signal,
  });
  await handOver(content, path, signal);
  const what = kind === "sqlite" ? "a store as it is" : "an archive for `store import`";
  say(`${path}: ${what}, ${sizeText(sizeBytes)}`);
  return 0;
}

async function exportTo(location: string, file: string, signal: AbortSignal): Promise<number> {
  if (file === STANDARD) {
    await exportStore(location, process.stdout, { signal });
    return 0;
  }
  const path = pathOf(file);
  const content = "store-export";
  const written = launcher().exchangePath(content);
  const sink = createWriteStream(written, { mode: 0o600, flags: "wx" });
  const { schema, rows, tables } = await exportStore(location, sink, { signal }).catch(
    (thrown: unknown) => {
      throw diskFullFault(thrown, written) ?? thrown;
    },
  );
  const { size } = await stat(written);
  await handOver(content, path, signal);
  say(`${path}: ${rows} rows of ${tables} tables, schema ${schema}, ${sizeText(size)}`);
  return 0;
}

async function importFrom(location: string, file: string, signal: AbortSignal): Promise<number> {
  let source: Readable = process.stdin;
  let shown = "standard input";
  let received: string | undefined;
  if (file !== STANDARD) {
    shown = pathOf(file);
    const asked = { kind: "read-user-file", path: shown, result: "store-archive" } as const;
    received = (await launcher().request({ ...asked, maxBytes: MOST_BYTES }, { signal })).file;
    source = createReadStream(received);
  }
  const done = await importStore(location, source, { signal, archive: shown });
  say(`imported ${done.rows} rows of ${done.tables} tables, schema ${done.schema}`);
  if (done.altered > 0)
    say(`in ${done.altered} rows a NUL, which PostgreSQL does not keep, became \u2400`);
  return 0;
}

/** With the rights of the person who asked, for that person alone to read. */
async function handOver(content: string, path: string, signal: AbortSignal): Promise<void> {
  try {
    const asked = { kind: "write-user-file", path, content, isPrivate: true } as const;
    await launcher().request(asked, { signal });
  } finally {
    await rm(launcher().exchangePath(content), { force: true });
  }
}

function pathOf(file: string): string {
  if (file !== "" && file !== STANDARD) return resolve(askerCwd(), file);
  throw new CreameryError("usage", "names no file", { input: file, nextStep: "name a file" });
}

/** Of what is kept whole for sure: a log or report that the bucket lacks. */
async function missingIn(
  bucket: Bucket,
  { attempt, startedAt }: StoredAttempt,
  youngMs: number,
): Promise<string | null> {
  if (Date.parse(startedAt) < youngMs) return null;
  for (const key of [attempt.log, attempt.report])
    if (key !== null && (await bucket.locate(key)) === null) return `${key} is not in the bucket`;
  return null;
}

/** Exported for its test. */
export function stateText({ label, rows, faults }: StoreState): string {
  const told = faults.map(({ subject, fault }) => `  ${subject}: ${fault}`);
  const counted = Object.entries(rows)
    .filter(([, count]) => count > 0)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([table, count]) => `  ${table}: ${count}`);
  return [
    `${label}: ${faults.length === 0 ? "sound" : `${faults.length} not sound`}`,
    ...(counted.length === 0 ? ["  nothing is in it"] : counted),
    ...told,
  ]
    .map(printableLine)
    .join("\n");
}

function sizeText(bytes: number): string {
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e3).toFixed(1)} kB`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
