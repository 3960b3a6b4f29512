import { readFile } from "node:fs/promises";

import { z } from "zod";

import { CreameryError, reasonOf } from "../base/errors.ts";
import type { BucketConfig } from "../model/config/bucket-table.ts";
import type { Bucket } from "./bucket.ts";
import { DirectoryBucket } from "./directory-bucket.ts";
import type { S3Credentials } from "./s3/s3-place.ts";

export interface OpenBucketOptions {
  /** Where it lies when the configuration says nothing. */
  readonly directory: string;
  /** For what is being sent to S3. */
  readonly spoolDirectory: string;
  /** `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, where no file is named. */
  readonly env: NodeJS.ProcessEnv;
}

export interface OpenBucket extends AsyncDisposable {
  readonly bucket: Bucket;
  /** As a person knows it: a path, or `s3://…`. */
  readonly place: string;
}

/**
 * The bucket of a configuration. Of S3 nothing is loaded where it is a directory, and nothing is asked yet where it is not.
 * @throws CreameryError `bucket` for a directory that can't be used, `configuration-file` for credentials that can't be read.
 */
export async function openBucket(
  config: BucketConfig,
  { directory, spoolDirectory, env }: OpenBucketOptions,
): Promise<OpenBucket> {
  if (config.kind === "directory") {
    const place = config.path ?? directory;
    const bucket = await DirectoryBucket.open(place);
    return { bucket, place, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const { S3Bucket } = await import("./s3-bucket.ts");
  const { certFile, credentialsFile, kind: _, ...place } = config;
  const bucket = await S3Bucket.open(
    { ...place, ...(certFile === null ? {} : { authority: await readOwn(certFile, "cert") }) },
    { credentials: await credentialsOf(credentialsFile, env), spoolDirectory },
  );
  return {
    bucket,
    place: `s3://${config.bucket}/${config.prefix}`,
    [Symbol.asyncDispose]: async () => bucket[Symbol.dispose](),
  };
}

const KEYS = {
  aws_access_key_id: "keyId",
  aws_secret_access_key: "secret",
  aws_session_token: "token",
} as const;
const Found = z.object({
  keyId: z.string().regex(/^\S{1,256}$/u),
  secret: z.string().regex(/^\S{1,1024}$/u),
  token: z
    .string()
    .regex(/^\S{1,8192}$/u)
    .optional(),
});

/** From a file as other S3 clients have it, else from the environment. What is in it is never shown. */
async function credentialsOf(file: string | null, env: NodeJS.ProcessEnv): Promise<S3Credentials> {
  const { S3Credentials: Credentials } = await import("./s3/s3-place.ts");
  const found = Found.safeParse(
    file === null
      ? {
          keyId: env["AWS_ACCESS_KEY_ID"],
          secret: env["AWS_SECRET_ACCESS_KEY"],
          token: env["AWS_SESSION_TOKEN"],
        }
      : parsedFile(await readOwn(file, "credentials")),
  );
  if (found.success) return new Credentials(found.data.keyId, found.data.secret, found.data.token);
  throw new CreameryError("configuration-file", "holds no access key for the bucket", {
    input: file ?? "the environment",
    nextStep:
      file === null
        ? "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file as bucket.credentials in creamery.toml"
        : "write lines aws_access_key_id = … and aws_secret_access_key = … (docs/bucket.md)",
  });
}

/** Lines `name = value`; of several sections the first one counts. */
function parsedFile(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, name = "", value = ""] = /^\s*(\w+)\s*=\s*(\S+)\s*$/u.exec(line) ?? [];
    for (const [key, field] of Object.entries(KEYS))
      if (name.toLowerCase() === key) found[field] ??= value;
  }
  return found;
}

async function readOwn(file: string, key: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CreameryError("configuration-file", `can't be read: ${reasonOf(cause)}`, {
      input: file,
      nextStep: `let the farm's user (uid 64123) read it, or name another as bucket.${key}`,
      cause,
    });
  }
}
