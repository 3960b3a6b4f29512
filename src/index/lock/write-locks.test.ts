import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { z } from "zod";

import { markersOf } from "../../python/interpreter-markers.ts";
import { sampleRecord } from "../record/attempt-record.sample.ts";
import type { AttemptRecord, RecordedFile } from "../record/attempt-record.ts";
import { installedFromFreeze, parsePylock } from "./pylock.ts";
import { locksFrom, type GivenRelease, type LockInput } from "./write-locks.ts";

const INDEX = "https://index.example/simple/";

function file(
  project: string,
  filename: string,
  mark: string,
  more: Partial<RecordedFile> = {},
): RecordedFile {
  return {
    project,
    filename,
    sha256: mark.repeat(64),
    sizeBytes: 10,
    uploadTime: "2026-01-02T03:04:05.678901Z",
    requiresPython: null,
    url: `https://files.example/${filename}`,
    upstream: INDEX,
    ...more,
  };
}

function recordOf(
  files: readonly RecordedFile[],
  crates: AttemptRecord["crates"] = [],
): AttemptRecord {
  return sampleRecord({ upstreams: [INDEX], files: [...files], crates });
}

const FILES = [
  file("my-pkg", "my_pkg-1.0.tar.gz", "a"),
  file("eggs", "eggs-2.1-py3-none-any.whl", "b"),
  file("setuptools", "setuptools-80.0-py3-none-any.whl", "c"),
];

function locks(
  files: readonly RecordedFile[],
  frozen: readonly string[],
  more: Partial<LockInput> = {},
) {
  const texts = locksFrom({
    record: recordOf(files),
    installed: installedFromFreeze(frozen),
    ...more,
  });
  const runTime = parsePylock(texts.runTime);
  return { texts, runTime, build: texts.build === null ? null : parsePylock(texts.build) };
}

const Own = z.object({
  creamery: z.looseObject({
    "build-lock": z.string().optional(),
    "run-time-lock": z.string().optional(),
    unlocated: z.array(z.string()).optional(),
  }),
});
const own = (lock: ReturnType<typeof parsePylock> | null) => Own.parse(lock?.["tool"]).creamery;
const named = (lock: ReturnType<typeof parsePylock> | null) =>
  lock?.packages.map(({ name, version = "" }) => `${name} ${version}`);

test("a lock names what was installed by file and hash, and another what was built with", () => {
  const { texts, runTime, build } = locks(FILES, [
    "My.Pkg==1.0",
    "eggs==2.1",
    "local==0.1",
    "-e /job/src",
    "x @ file:///job/x.whl",
  ]);
  expect(named(runTime)).toEqual(["eggs 2.1", "my-pkg 1.0"]);
  expect(runTime.packages[0]).toMatchObject({
    index: INDEX,
    wheels: [{ name: "eggs-2.1-py3-none-any.whl", size: 10, hashes: { sha256: "b".repeat(64) } }],
  });
  expect(runTime.packages[1]?.sdist).toMatchObject({
    url: "https://files.example/my_pkg-1.0.tar.gz",
  });
  expect(named(build)).toEqual(["setuptools 80.0"]);
  expect(own(runTime)).toEqual({
    attempt: "a1",
    "index-date": "2026-11-24T10:00:00.000Z",
    "build-lock": "pylock.build.toml",
    unlocated: ["local==0.1"],
  });
  expect(own(build)).toMatchObject({ attempt: "a1", "run-time-lock": "pylock.toml" });
  // Python's own reader of TOML sees the same, upload times as times (PEP 751).
  const read = execFileSync(
    "python3",
    [
      "-I",
      "-c",
      "import sys, tomllib; d = tomllib.loads(sys.stdin.read()); print(d['packages'][0]['wheels'][0]['upload-time'].isoformat(), d['lock-version'])",
    ],
    { input: texts.runTime },
  );
  expect(read.toString().trim()).toBe("2026-01-02T03:04:05.678000+00:00 1.0");
});

test("where nothing was built with files of the index there is no lock of that, and none is named", () => {
  const { runTime, build } = locks(FILES, ["my-pkg==1.0", "eggs==2.1", "setuptools==80.0"]);
  expect(build).toBeNull();
  expect(own(runTime)["build-lock"]).toBeUndefined();
});

test("what the build asked for is in its lock, though it was installed too and was not fetched again", () => {
  const [pkg, eggs, setuptools] = FILES;
  if (pkg === undefined || eggs === undefined || setuptools === undefined) throw new Error("none");
  const { runTime, build } = locks(
    [pkg, eggs, { ...setuptools, forBuild: true }],
    ["my-pkg==1.0", "eggs==2.1", "setuptools==80.0"],
  );
  expect(named(runTime)).toContain("setuptools 80.0");
  expect(named(build)).toEqual(["setuptools 80.0"]);
});

test("releases of one project that builds wanted are in groups, each of them whole, the newest by default", () => {
  const files = ["9.0", "44.1", "80.0"].map((version, index) =>
    file("setuptools", `setuptools-${version}-py3-none-any.whl`, String(index)),
  );
  const wheels = ["0.40", "0.45"].map((version, index) =>
    file("wheel", `wheel-${version}-py3-none-any.whl`, `${index + 5}`),
  );
  const { build } = locks(
    [...files, ...wheels, file("flit-core", "flit_core-3.9.tar.gz", "f")],
    [],
  );
  expect(build?.["dependency-groups"]).toEqual(["build-1", "build-2", "build-3"]);
  expect(build?.["default-groups"]).toEqual(["build-1"]);
  expect(build?.packages.map(({ name, version, marker }) => [name, version, marker])).toEqual([
    ["flit-core", "3.9", undefined],
    ["setuptools", "80.0", "'build-1' in dependency_groups"],
    ["setuptools", "44.1", "'build-2' in dependency_groups"],
    ["setuptools", "9.0", "'build-3' in dependency_groups"],
    ["wheel", "0.45", "'build-1' in dependency_groups"],
    ["wheel", "0.40", "'build-2' in dependency_groups or 'build-3' in dependency_groups"],
  ]);
});

test("releases without end are in the build lock up to a bound, and each file is named all the same", () => {
  const many = Array.from({ length: 5000 }, (_, index) =>
    file("spam", `spam-1.${index}-py3-none-any.whl`, "a", {
      sha256: index.toString(16).padStart(64, "0"),
    }),
  );
  const two = ["1.0", "2.0"].map((version, index) =>
    file("eggs", `eggs-${version}-py3-none-any.whl`, String(index)),
  );
  const frozen = Array.from({ length: 20_000 }, (_, index) => `installed-${index}==1.0`);
  const { build, runTime } = locks([...many, ...two], frozen);
  expect(build?.["dependency-groups"]).toHaveLength(20);
  expect(named(build)?.slice(0, 3)).toEqual(["eggs 2.0", "eggs 1.0", "spam 1.4999"]);
  expect(build?.packages).toHaveLength(22);
  expect(own(build)["others"]).toHaveLength(4980);
  expect(own(runTime)["unlocated"]).toHaveLength(20_000);
});

test.each<[string, GivenRelease["from"], Record<string, unknown>]>([
  [
    "an sdist of the index that was built here",
    { kind: "index", file: file("local", "local-0.1.tar.gz", "d") },
    { version: "0.1", sdist: { name: "local-0.1.tar.gz", hashes: { sha256: "d".repeat(64) } } },
  ],
  [
    "a commit",
    { kind: "git", url: "https://git.example/x/local", ref: "v0.1", commit: "e".repeat(40) },
    {
      vcs: {
        type: "git",
        url: "https://git.example/x/local",
        "requested-revision": "v0.1",
        "commit-id": "e".repeat(40),
      },
    },
  ],
  [
    "a file of a person's own",
    { kind: "archive", filename: "local-0.1.tar.gz", sha256: "d".repeat(64) },
    { archive: { path: "local-0.1.tar.gz", hashes: { sha256: "d".repeat(64) } } },
  ],
])("a release that was installed from %s is locked as that", (_what, from, expected) => {
  const given = { name: "Local", version: "0.1.0", from };
  // A wheel of it that something else was built with is none of what was installed.
  const files = [...FILES, file("local", "local-0.1-py3-none-any.whl", "9")];
  const { runTime, build } = locks(files, ["local==0.1"], { given });
  expect(runTime.packages).toMatchObject([{ name: "local", ...expected }]);
  expect(runTime.packages[0]?.wheels).toBeUndefined();
  expect(own(runTime)["unlocated"]).toEqual([]);
  expect(named(build)).toContain("local 0.1");
  // One that something moved to another version is not what was given.
  expect(own(locks([], ["local==0.2"], { given }).runTime)["unlocated"]).toEqual(["local==0.2"]);
});

test("a wheel in the place of a release is looked for beside the lock", () => {
  const wheel = file("eggs", "eggs-2.1-py3-none-any.whl", "b", {
    url: "creamery-wheel://b/eggs-2.1-py3-none-any.whl",
    upstream: "creamery-wheel://b",
    uploadTime: null,
  });
  const [locked] = locks([wheel], ["eggs==2.1"]).runTime.packages;
  expect(locked?.index).toBeUndefined();
  expect(locked?.wheels?.[0]).toEqual({
    name: wheel.filename,
    path: wheel.filename,
    size: 10,
    hashes: { sha256: wheel.sha256 },
  });
});

test("it says for which environment all that was resolved", () => {
  const interpreter = { implementation: "pypy", version: "3.11", fullVersion: "3.11.13" } as const;
  const { runTime } = locks(FILES, ["eggs==2.1"], { markers: markersOf(interpreter) });
  expect(runTime["environments"]).toEqual([
    "implementation_name == 'pypy' and python_version == '3.11' and sys_platform == 'linux' and platform_machine == 'x86_64'",
  ]);
});

test("what an index or a guest says that no lock can hold is left out of it", () => {
  const files = [
    file("eggs", "eggs-2.1-py3-none-any.whl", "b", {
      requiresPython: "three, or more",
      uploadTime: "+275000-01-01T00:00:00Z",
    }),
    file("spam", "spam-1.0.exe", "1"),
    file("spam", "ham-1.0-py3-none-any.whl", "2"),
    file("old", "old-1.0.tar.bz2", "3"),
    file("dashed", "dashed-1.0-1.tar.gz", "4"),
    file("two", "two-1.0.tar.gz", "5"),
    file("two", "two-1.0.zip", "6"),
  ];
  const { runTime, build } = locks(files, [
    "eggs==2.1",
    "eggs==2.2",
    "spam==1.0",
    "old==1.0",
    "dashed==1.0.post1",
    "two==1.0",
    "odd==one",
  ]);
  expect(named(runTime)).toEqual(["dashed 1.0.post1", "eggs 2.1", "old 1.0", "two 1.0"]);
  const [dashed, eggs, old, two] = runTime.packages;
  expect(dashed?.["archive"]).toMatchObject({ url: "https://files.example/dashed-1.0-1.tar.gz" });
  expect(eggs?.["requires-python"]).toBeUndefined();
  expect(eggs?.wheels?.[0]?.["upload-time"]).toBeUndefined();
  expect(old?.["archive"]).toMatchObject({ size: 10, hashes: { sha256: "3".repeat(64) } });
  expect(two?.sdist?.name).toBe("two-1.0.tar.gz");
  expect(own(runTime)["unlocated"]).toEqual(["eggs==2.2", "odd==one", "spam==1.0"]);
  expect(named(build)).toEqual(["two 1.0"]);
  expect(own(build)["others"]).toMatchObject([
    { name: "spam-1.0.exe" },
    { name: "ham-1.0-py3-none-any.whl" },
  ]);
});

test("crates, for which the standard has no place, are the build lock's own", () => {
  const crate = { name: "serde", version: "1.0.1", sha256: "a".repeat(64), sizeBytes: 7, line: "" };
  const { build } = locks([], [], { record: recordOf([], [crate]) });
  expect(build?.packages).toEqual([]);
  expect(own(build)["crates"]).toEqual([
    { name: "serde", version: "1.0.1", checksum: "a".repeat(64), size: 7 },
  ]);
});
