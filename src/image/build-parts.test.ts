import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

import { AptTally } from "./apt-tally.ts";
import { lockBuilds } from "./build-lock.ts";
import { debianFault } from "./debian-root.ts";
import { pipFault } from "./fetch-tools.ts";
import { parseInstalled } from "./installed-packages.ts";
import { compileSteps, normaliseShadow, sortedLines } from "./normalise-tree.ts";
import { mountsBelow } from "./remove-tree.ts";

const MIRROR = "https://mirror.example/debian";

test("apt's lines become packages and bytes; indices are not counted", () => {
  const tally = new AptTally();
  tally.hear(`Get:1 ${MIRROR} trixie InRelease [140 kB]`);
  tally.hear("0 upgraded, 72 newly installed, 0 to remove and 0 not upgraded.");
  expect(tally.hear("Need to get 30.7 MB of archives.")).toMatchObject({
    bytesDone: 0,
    bytesTotal: 30_700_000,
  });
  expect(
    tally.hear(`Get:2 ${MIRROR} trixie/main amd64 gcc amd64 4:14.2.0-1 [1,436 B]`),
  ).toMatchObject({ bytesDone: 1436 });
  expect(tally.hear("Setting up gcc-14-base:amd64 (14.2.0-19) ...")).toMatchObject({
    done: 1,
    total: 72,
    detail: "installing gcc-14-base:amd64",
  });
  expect(tally.hear("Unpacking something")).toBeNull();
});

test.each([
  [
    "no-network",
    "E: Failed to fetch ... Temporary failure resolving 'mirror.example'",
    /can't be reached/u,
  ],
  [
    "disk-full",
    "dpkg: error: cannot copy extracted data: No space left on device",
    /disk filled up/u,
  ],
  [
    "image-build",
    "E: Release file for https://mirror.example/debian/dists/sid/InRelease is expired (invalid since 18d 3h). Updates for this repository will not be applied.",
    /Valid-Until \(invalid since 18d 3h\)/u,
  ],
  ["image-build", "E: Unable to locate package libnone-dev", /none of the suites/u],
  [
    "image-build",
    "W: GPG error: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 00",
    /signature/u,
  ],
  ["image-build", "something quite new", /something quite new/u],
])("mmdebstrap's end is told as %s", (code, line, message) => {
  const fault = debianFault(["I: running apt-get update...", line], MIRROR);
  expect(fault).toMatchObject({ code });
  expect(fault.line).toMatch(message);
});

test("pip's end is told without the password of an index's address", () => {
  const fault = pipFault([
    "WARNING: x",
    "ERROR: Could not install from https://user:hunter2@index.example/simple: no such version",
  ]);
  expect(fault.line).not.toContain("hunter2");
  expect(
    pipFault(["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE"]),
  ).toMatchObject({ code: "upstream-hash" });
  expect(pipFault(["ERROR: Max retries exceeded"])).toMatchObject({ code: "no-network" });
});

test("a package's hash is that of its own version and architecture, or none", () => {
  const lines = ["git\t1:2\tamd64", "tzdata\t3\tall", "local\t1\tall"];
  const archives = [
    { name: "git", version: "1:1", architecture: "amd64", sha256: "old" },
    { name: "git", version: "1:2", architecture: "amd64", sha256: "new" },
    { name: "tzdata", version: "3", architecture: "all", sha256: "zone" },
  ];
  expect(parseInstalled(lines, archives).map(({ name, sha256 }) => [name, sha256])).toEqual([
    ["git", "new"],
    ["local", null],
    ["tzdata", "zone"],
  ]);
});

test("the day of a password's change is the version's", () => {
  expect(normaliseShadow("root:*:20781:0:99999:7:::\ntester:!:20781:0::\n", 20758)).toBe(
    "root:*:20758:0:99999:7:::\ntester:!:20758:0::\n",
  );
});

test("dpkg's triggers are the same in whatever order packages were unpacked", () => {
  const lines = ["/usr/man man-db/noawait", "/opt/man man-db/noawait", "/usr/lib32 base-files"];
  const text = (order: readonly string[]) => order.map((line) => `${line}\n`).join("");
  expect(sortedLines(text(lines))).toBe(sortedLines(text(lines.toReversed())));
  expect(sortedLines(text(lines)).split("\n").toSorted()).toEqual(
    text(lines).split("\n").toSorted(),
  );
  expect(sortedLines("")).toBe("");
});

test("mounts are found inside a tree only, deepest first, with blanks in their names", () => {
  const line = (point: string) => `1 2 0:3 / ${point} rw - tmpfs tmpfs rw`;
  const info = [
    line("/images/a/dev"),
    line("/images/a/dev/shm"),
    line("/images/ab/dev"),
    line("/images/a/x\\040y"),
    line("/dev"),
  ].join("\n");
  expect(mountsBelow(info, "/images/a")).toEqual([
    "/images/a/dev/shm",
    "/images/a/x y",
    "/images/a/dev",
  ]);
});

test("one build at a time: the second waits for the first, and hears that it waited", async () => {
  const directory = await mkdtemp(join(tmpdir(), "lock-"));
  const { signal } = new AbortController();
  const first = await lockBuilds(directory, signal, () => {});
  const heard = Promise.withResolvers<void>();
  const second = lockBuilds(directory, signal, () => heard.resolve());
  await heard.promise;
  const abort = new AbortController();
  const third = lockBuilds(directory, abort.signal, () => abort.abort(new Error("enough")));
  await expect(third).rejects.toThrow("enough");
  await first[Symbol.asyncDispose]();
  await using held = await second;
  expect([first.waited, held.waited]).toEqual([false, true]);
  await rm(directory, { recursive: true });
});

test("byte code is compiled as root by Debian's interpreters alone", () => {
  const interpreter = {
    name: "cpython-3.12",
    executable: "/opt/x/bin/python3.12",
    library: "/opt/x/lib/python3.12",
  };
  const [only, ...more] = compileSteps({ ...interpreter, builder: "debian" }, "1000:1000");
  expect(more).toEqual([]);
  expect(only).toMatchObject({ owner: "0:0", mayFail: true });
  for (const builder of ["upstream", "other"] as const) {
    const steps = compileSteps({ ...interpreter, builder }, "1000:1000");
    expect(steps.map(({ argv: [program], owner }) => [program, owner])).toEqual([
      ["find", "0:0"],
      ["/opt/x/bin/python3.12", "1000:1000"],
      ["chown", "0:0"],
      ["find", "0:0"],
    ]);
    expect(steps[1]?.argv).toEqual(only?.argv);
    // What root takes back is theirs alone, and lies where links lead nowhere.
    expect(steps[2]?.argv).toEqual(
      expect.arrayContaining(["--no-dereference", "--from=1000:1000"]),
    );
  }
});
