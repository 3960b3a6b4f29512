import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

import type { AttemptRecord } from "./attempt-record.ts";
import { installedFromFreeze, lockFrom, parsePylock, versionOfFilename } from "./pylock.ts";

const file = (project: string, filename: string, mark: string): AttemptRecord["files"][number] => ({
  project,
  filename,
  sha256: mark.repeat(64),
  sizeBytes: 10,
  uploadTime: "2026-01-02T03:04:05.678901Z",
  requiresPython: null,
  url: `https://files.example/${filename}`,
  upstream: "https://index.example/simple/",
});

const record: AttemptRecord = {
  schema: 1,
  attemptId: "a1",
  openedAt: "2026-11-24T10:00:00.000Z",
  upstreams: ["https://index.example/simple/"],
  before: null,
  replayed: false,
  requests: [],
  bytes: 0,
  pages: [],
  missing: [],
  files: [
    file("my-pkg", "my_pkg-1.0.tar.gz", "a"),
    file("eggs", "eggs-2.1-py3-none-any.whl", "b"),
    file("setuptools", "setuptools-80.0-py3-none-any.whl", "c"),
  ],
  crates: [],
  refused: [],
  limits: [],
  faults: [],
  truncated: false,
};

test("a lock names what was installed by file and hash, and apart from it what was built with", () => {
  const text = lockFrom(
    record,
    installedFromFreeze([
      "My.Pkg==1.0",
      "eggs==2.1",
      "local==0.1",
      "-e /job/src",
      "x @ file:///job/x.whl",
    ]),
  );
  const lock = parsePylock(text);
  expect(lock.packages.map(({ name, version }) => `${name} ${version}`)).toEqual([
    "eggs 2.1",
    "my-pkg 1.0",
  ]);
  expect(lock.packages[0]?.wheels?.[0]).toMatchObject({
    name: "eggs-2.1-py3-none-any.whl",
    hashes: { sha256: "b".repeat(64) },
  });
  expect(lock.packages[1]?.sdist).toMatchObject({ url: "https://files.example/my_pkg-1.0.tar.gz" });
  expect(lock["tool"]).toMatchObject({
    creamery: { unlocated: ["local==0.1"], build: [{ name: "setuptools-80.0-py3-none-any.whl" }] },
  });
  // Python's own reader of TOML sees the same, upload times as times (PEP 751).
  const read = execFileSync(
    "python3",
    [
      "-I",
      "-c",
      "import sys, tomllib; d = tomllib.loads(sys.stdin.read()); print(d['packages'][0]['wheels'][0]['upload-time'].isoformat(), d['lock-version'])",
    ],
    { input: text },
  );
  expect(read.toString().trim()).toBe("2026-01-02T03:04:05.678000+00:00 1.0");
});

test("what is no lock is refused in one line", () => {
  for (const text of [
    "lock-version = 1",
    "= 3",
    'lock-version = "2.0"\ncreated-by = "x"\npackages = []',
  ]) {
    expect(() => parsePylock(text)).toThrow(/^is no lock file: [^\n]+$/u);
  }
});

test.each([
  ["my_pkg-1.0.tar.gz", "my-pkg", "1.0"],
  ["my-pkg-1.0-rc1.zip", "my-pkg", "1.0-rc1"],
  ["spam-1.0-2-py3-none-any.whl", "spam", "1.0"],
  ["spam-1.0.exe", "spam", null],
])("%s of %s is %s", (filename, project, version) => {
  expect(versionOfFilename(filename, project)).toBe(version);
});
