import { buffer } from "node:stream/consumers";

import { z } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { Bucket } from "../../bucket/bucket.ts";
import type { AttemptRecord } from "../../index/index-service.ts";
import { parsePylock, type Pylock } from "../../index/lock/pylock.ts";
import { BUILD_LOCK, RUN_TIME_LOCK } from "../../index/lock/write-locks.ts";
import type { AgainJson } from "../../worker/again.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";

const MAX_LOCK_BYTES = 16 * 1024 ** 2;
const READ_MS = 60_000;
const ANEW = "test it anew with ./creamery test";

const Hashed = z.looseObject({ hashes: z.looseObject({ sha256: z.string() }) });
const Own = z.looseObject({
  creamery: z.looseObject({
    "build-lock": z.string().optional(),
    others: z.array(Hashed).optional(),
    /** Of attempts of before there was a lock for what was built with. */
    build: z.array(Hashed).optional(),
    crates: z.array(z.looseObject({ checksum: z.string() })).optional(),
  }),
});

export interface Locked {
  /** Where the attempt's own things lie. */
  readonly bucket: Pick<Bucket, "open">;
  readonly id: string;
  readonly record: AttemptRecord;
  readonly again: Pick<AgainJson, "source">;
}

/**
 * Sees that an attempt's locks and its record, which says more of the same files, name the same ones: a replay serves the
 * record's.
 * @throws CreameryError `bucket` for a lock that is not there, is damaged, or names another file or one less.
 */
export async function assertLocked({ bucket, id, record, again }: Locked): Promise<void> {
  const runTime = await readLock(bucket, id, RUN_TIME_LOCK);
  const own = Own.safeParse(runTime["tool"]).data?.creamery;
  const wantsBuild = own?.["build-lock"] !== undefined;
  const locks = [runTime, ...(wantsBuild ? [await readLock(bucket, id, BUILD_LOCK)] : [])];
  const locked = new Map(locks.flatMap(namedIn));
  const served = new Map<string, string>([
    ...record.files.map(({ sha256, filename }) => [sha256, filename] as const),
    // An old lock does not know of crates.
    ...(own?.build === undefined ? record.crates : []).map(
      ({ sha256, name, version }) => [sha256, `${name} ${version}`] as const,
    ),
  ]);
  // Given to the guest by hash, not by its index.
  const { sourceFile, wheelFile } = again.source;
  const given = new Set([sourceFile?.sha256, wheelFile?.sha256]);
  for (const [sha256, name] of served)
    if (!locked.has(sha256)) throw changed(id, name, "which is in record.json, is in no lock");
  for (const [sha256, name] of locked)
    if (!served.has(sha256) && !given.has(sha256))
      throw changed(id, name, "which a lock names, is not in record.json by this hash");
}

function changed(id: string, name: string, why: string): CreameryError {
  return new CreameryError(
    "bucket",
    `its locks were changed: ${clip(printableLine(name), 200)}, ${why}`,
    {
      input: id,
      nextStep: ANEW,
    },
  );
}

async function readLock(bucket: Pick<Bucket, "open">, id: string, name: string): Promise<Pylock> {
  const input = attemptKey(id, name);
  const blob = await bucket.open(input);
  if (blob === null || blob.sizeBytes > MAX_LOCK_BYTES)
    throw new CreameryError(
      "bucket",
      blob === null ? "is not there any more" : "is too large for a lock",
      { input, nextStep: ANEW },
    );
  const text = await buffer(blob.content(AbortSignal.timeout(READ_MS))).catch((thrown: unknown) => {
    if (!(thrown instanceof CreameryError) || thrown.nextStep !== undefined) throw thrown;
    throw new CreameryError(thrown.code, thrown.message, {
      input,
      nextStep: ANEW,
      cause: thrown,
    });
  });
  return parsePylock(text.toString("utf8"), input);
}

/** All files by sha256, under a name for people. */
function namedIn({ packages, tool }: Pylock): (readonly [sha256: string, name: string])[] {
  const files = packages.flatMap(({ name, sdist, wheels = [], archive }) =>
    [sdist, archive, ...wheels].flatMap((file) => {
      const parsed = Hashed.safeParse(file);
      return parsed.success ? [[parsed.data, name] as const] : [];
    }),
  );
  const own = Own.safeParse(tool).data?.creamery;
  const more = [...(own?.build ?? []), ...(own?.others ?? [])].map((file) => [file, ""] as const);
  return [
    ...[...files, ...more].map(([file, name]) => {
      const { name: filename } = file;
      return [file.hashes.sha256, typeof filename === "string" ? filename : name] as const;
    }),
    ...(own?.crates ?? []).map(
      ({ checksum, name }) => [checksum, `crate ${typeof name === "string" ? name : ""}`] as const,
    ),
  ];
}
