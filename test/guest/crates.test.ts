import { readFileSync } from "node:fs";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { parsePylock } from "../../src/index/lock/pylock.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";
import {
  checksumOf,
  startCrates,
  type RunningCrates,
  type SampleCrate,
} from "../upstream/crates-index.ts";
import { attemptOf, useFarm } from "./local-farm.ts";
import { PASSING } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";

/** Builds that need crates: the image's own cargo against the attempt's index, and once more with no upstream. */

const ANSWER: SampleCrate = {
  name: "Answer_Crate",
  version: "1.0.0",
  source: "pub fn answer() -> i32 { 42 }",
};
const CRATES: readonly SampleCrate[] = [
  ANSWER,
  // Newer, and not what the lock of the first project says.
  { ...ANSWER, version: "1.5.0", source: "pub fn answer() -> i32 { 43 }" },
  { ...ANSWER, version: "1.9.0", yanked: true },
  // Looked up by whoever resolves, and fetched by nobody here.
  { name: "elsewhere", version: "0.1.0" },
  { name: "abc", version: "0.1.0", source: "pub const ABC: i32 = 1;" },
];

const manifest = [
  "[package]",
  'name = "inner"',
  'version = "0.1.0"',
  'edition = "2018"',
  "[dependencies]",
  'Answer_Crate = "1"',
  'abc = "0.1"',
  "[target.'cfg(windows)'.dependencies]",
  'elsewhere = "0.1"',
  "",
].join("\n");
const main = 'fn main() { println!("{}", Answer_Crate::answer() + abc::ABC - 1); }\n';
/** What cargo built says its answer while the wheel is built. @param pin a version that the build's lock is to name. */
const hook = (answer: number, pin?: string): string =>
  [
    "import subprocess",
    "def cargo(*words):",
    '    argv = ("cargo",) + words + ("--quiet", "--manifest-path", "inner/Cargo.toml")',
    "    return subprocess.run(argv, check=True, stdout=subprocess.PIPE).stdout.decode().strip()",
    ...(pin === undefined
      ? ['said = cargo("run")']
      : [
          `cargo("update", "-p", "Answer_Crate", "--precise", "${pin}")`,
          'said = cargo("run", "--locked")',
        ]),
    `assert said == "${answer}", said`,
    "",
  ].join("\n");
const files = { ...PASSING, "inner/Cargo.toml": manifest, "inner/src/main.rs": main };
const LOCKED = "creamery-e2e-cargo-lock";
const FREE = "creamery-e2e-cargo-free";

const Crates = z.object({
  creamery: z.looseObject({
    crates: z.array(
      z.object({ name: z.string(), version: z.string(), checksum: z.string(), size: z.number() }),
    ),
  }),
});

describe("a build that needs crates", () => {
  let crates: RunningCrates | undefined;
  const farm = useFarm("crates", [
    {
      name: LOCKED,
      publish: ["sdist"],
      files: { ...files, "build_hook.py": hook(42, "1.0.0") },
    },
    { name: FREE, publish: ["sdist"], files: { ...files, "build_hook.py": hook(43) } },
  ]);
  let first: Ended | undefined;
  let config = "";

  beforeAll(async () => {
    crates = await startCrates({ crates: CRATES });
    const { upstream, configure, test } = farm();
    config = configure("crates.toml", {
      upstreams: { index: upstream.url, crates: `sparse+${crates.url}` },
    });
    first = await test([LOCKED, FREE, "--config", config, "--json"]);
  });
  afterAll(async () => crates?.[Symbol.asyncDispose]());

  const cratesOf = ({ evidence }: AttemptJson) =>
    Crates.parse(parsePylock(readFileSync(evidence.buildLock ?? "", "utf8"))["tool"])
      .creamery.crates.map(({ name, version, checksum }) => `${name} ${version} ${checksum}`)
      .toSorted();
  const packed = (name: string, version: string): string =>
    `${name} ${version} ${checksumOf(crates?.packed.get(`${name}/${version}`) ?? Buffer.alloc(0))}`;

  it.each([
    [LOCKED, "with a lock of its own has what that names", "1.0.0"],
    [FREE, "without one has the newest that is not yanked", "1.5.0"],
  ])("%s, %s, and both are in its build lock by hash", (project, _how, version) => {
    const attempt = attemptOf(first, project);
    expect([attempt.outcome, attempt.installed], first?.stderr).toEqual(["pass", "sdist"]);
    expect(cratesOf(attempt)).toEqual([packed("Answer_Crate", version), packed("abc", "0.1.0")]);
  });

  it.each([LOCKED, FREE])(
    "%s is replayed with no upstream, from the same crates",
    async (project) => {
      const before = attemptOf(first, project);
      await farm().upstream[Symbol.asyncDispose]();
      await crates?.[Symbol.asyncDispose]();
      const again = await farm().reproduce([before.id, "--json", "--config", config]);
      const after = attemptOf(again, project);
      expect([after.outcome, again.code], again.stderr).toEqual(["pass", 0]);
      expect(cratesOf(after)).toEqual(cratesOf(before));
      expect(after.axes.lock).toBe(before.axes.lock);
    },
  );
});
