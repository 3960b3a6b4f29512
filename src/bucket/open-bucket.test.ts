import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";

import {
  S3_BUCKET,
  S3_KEY_ID,
  S3_SECRET,
  startS3Server,
  type S3Server,
} from "../../test/upstream/s3-server.ts";
import { CreameryError } from "../base/errors.ts";
import type { BucketConfig } from "../model/config/bucket-table.ts";
import { openBucket } from "./open-bucket.ts";

const { signal } = new AbortController();
let root = "";
let server: S3Server;
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "creamery-open-bucket-"));
  server = await startS3Server({ directory: join(root, "served") });
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

const s3 = (change: { readonly credentialsFile?: string } = {}): BucketConfig => ({
  kind: "s3",
  bucket: S3_BUCKET,
  prefix: "one/",
  endpoint: server.endpoint,
  region: server.region,
  addressing: "path",
  credentialsFile: null,
  certFile: null,
  ...change,
});
const open = (config: BucketConfig, env: NodeJS.ProcessEnv = {}) =>
  openBucket(config, {
    directory: join(root, "bucket"),
    spoolDirectory: join(root, "spool"),
    env,
  });

async function lineOf(opening: Promise<unknown>): Promise<string> {
  const thrown: unknown = await opening.catch((fault: unknown) => fault);
  if (!(thrown instanceof CreameryError)) throw new Error("was opened");
  expect(inspect(thrown, { depth: 9 })).not.toContain(S3_SECRET);
  return thrown.line;
}

test("a directory, below the data directory or elsewhere", async () => {
  await using usual = await open({ kind: "directory", path: null });
  expect(usual.place).toBe(join(root, "bucket"));
  await using other = await open({ kind: "directory", path: join(root, "a/b") });
  await other.bucket.create("k", Buffer.from("x"), { signal, compression: "none" });
  expect(await other.bucket.locate("k")).toBe(join(root, "a/b/k"));
});

test("S3, asked by whom the environment or a file names", async () => {
  const env = { AWS_ACCESS_KEY_ID: S3_KEY_ID, AWS_SECRET_ACCESS_KEY: S3_SECRET };
  {
    await using byEnvironment = await open(s3(), env);
    await byEnvironment.bucket.create("k", Buffer.from("x"), { signal, compression: "none" });
    expect(await byEnvironment.bucket.locate("k")).toBe(`s3://${S3_BUCKET}/one/k`);
  }
  const file = join(root, "credentials");
  writeFileSync(
    file,
    `[default]\n# mine\naws_access_key_id = ${S3_KEY_ID}\naws_secret_access_key=${S3_SECRET}\n[other]\naws_access_key_id = none\n`,
  );
  await using byFile = await open(s3({ credentialsFile: file }), {
    AWS_ACCESS_KEY_ID: "other",
    AWS_SECRET_ACCESS_KEY: "other",
  });
  expect(await byFile.bucket.list("")).toEqual(["k"]);
});

test("credentials that are not there or are none are told, and not shown", async () => {
  expect(await lineOf(open(s3(), { AWS_SECRET_ACCESS_KEY: S3_SECRET }))).toMatch(
    /^the environment: holds no access key for the bucket; set AWS_ACCESS_KEY_ID and/u,
  );
  const file = join(root, "credentials");
  writeFileSync(file, `aws_secret_access_key = ${S3_SECRET}\n`);
  expect(await lineOf(open(s3({ credentialsFile: file })))).toMatch(
    /credentials: holds no access key for the bucket; write lines/u,
  );
  expect(await lineOf(open(s3({ credentialsFile: join(root, "none") })))).toMatch(
    /ENOENT.*or name another as bucket\.credentials$/u,
  );
});
