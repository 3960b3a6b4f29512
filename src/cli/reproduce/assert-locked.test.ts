import { expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import type { AttemptRecord } from "../../index/index-service.ts";
import { installedFromFreeze } from "../../index/lock/pylock.ts";
import { locksFrom } from "../../index/lock/write-locks.ts";
import { sampleRecord } from "../../index/record/attempt-record.sample.ts";
import { sampleJob } from "../../worker/attempt-job.sample.ts";
import { assertLocked } from "./assert-locked.ts";

const { signal } = new AbortController();

function file(project: string, mark: string): AttemptRecord["files"][number] {
  return {
    project,
    filename: `${project}-1.0-py3-none-any.whl`,
    sha256: mark.repeat(64),
    sizeBytes: 1,
    uploadTime: null,
    requiresPython: null,
    url: `https://files.example/${project}`,
    upstream: "https://index.example/simple/",
  };
}

const record = sampleRecord({
  files: [file("eggs", "b"), file("setuptools", "c")],
  crates: [{ name: "serde", version: "1.0.1", sha256: "d".repeat(64), sizeBytes: 1, line: "" }],
});
const sourceFile = { path: "", filename: "mine-1.0.tar.gz", sha256: "e".repeat(64), key: null };
const { source } = sampleJob("a1");
const again = { source: { ...source, extras: [], wheelNames: [], sourceFile, wheelFile: null } };
const locks = locksFrom({
  record,
  installed: installedFromFreeze(["eggs==1.0", "mine==1.0"]),
  given: {
    name: "mine",
    version: "1.0",
    from: { kind: "archive", filename: sourceFile.filename, sha256: sourceFile.sha256 },
  },
});

async function check(
  texts: Readonly<Record<string, string>>,
  own: AttemptRecord = record,
): Promise<void> {
  const bucket = new MemoryBucket();
  for (const [name, text] of Object.entries(texts))
    await bucket.create(`attempts/a1/${name}`, Buffer.from(text), { signal, compression: "none" });
  await assertLocked({ bucket, id: "a1", record: own, again });
}

const whole = { "pylock.toml": locks.runTime, "pylock.build.toml": locks.build ?? "" };

test("locks that name what the record names are replayed", async () => {
  await expect(check(whole)).resolves.toBeUndefined();
});

test.each([
  ["a file less", { files: [file("eggs", "b")] }, "setuptools-1.0-py3-none-any.whl"],
  ["another file", { files: [file("eggs", "b"), file("setuptools", "9")] }, "setuptools-1.0"],
  ["a file more", { files: [...record.files, file("ham", "8")] }, "ham-1.0-py3-none-any.whl"],
  ["a crate less", { crates: [] }, "crate serde"],
])("a record of %s than its locks is refused in one line", async (_what, change, named) => {
  const refused = check(whole, { ...record, ...change });
  await expect(refused).rejects.toMatchObject({ code: "bucket", input: "a1" });
  await expect(refused).rejects.toThrow(/^its locks were changed: [^\n]+$/u);
  await expect(refused).rejects.toThrow(named);
});

test("a lock that lacks a file, is none or is gone is refused", async () => {
  const { "pylock.toml": runTime, "pylock.build.toml": build } = whole;
  const lacking = runTime.replaceAll("b".repeat(64), "7".repeat(64));
  await expect(check({ ...whole, "pylock.toml": lacking })).rejects.toThrow("eggs-1.0");
  await expect(check({ ...whole, "pylock.toml": "= 1" })).rejects.toThrow("is no lock file");
  await expect(check({ "pylock.toml": runTime })).rejects.toMatchObject({
    code: "bucket",
    input: "attempts/a1/pylock.build.toml",
  });
  await expect(check({ "pylock.build.toml": build })).rejects.toMatchObject({
    input: "attempts/a1/pylock.toml",
  });
});

test("an attempt of before there were two locks is replayed from its one", async () => {
  const old = `lock-version = "1.0"
created-by = "creamery"
[[packages]]
name = "eggs"
[[packages.wheels]]
name = "eggs-1.0-py3-none-any.whl"
url = "https://files.example/eggs"
hashes = {sha256 = "${"b".repeat(64)}"}
[[tool.creamery.build]]
name = "setuptools-1.0-py3-none-any.whl"
hashes = {sha256 = "${"c".repeat(64)}"}
`;
  await expect(check({ "pylock.toml": old })).resolves.toBeUndefined();
});
