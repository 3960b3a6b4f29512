import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CreameryError, type ErrorCode } from "../../base/errors.ts";
import { BuildProgress, type BuildEvent } from "../build-event.ts";
import type { ImageLock } from "../lock/image-lock.ts";
import { sampleLock } from "../lock/image-lock.sample.ts";
import { SourceFiles } from "../lock/source-files.ts";
import { InterpreterEntry } from "./api.ts";
import { bringInterpreters } from "./bring-interpreters.ts";
import { mavenFault } from "./maven-client.ts";
import type { BringContext, SourcedInterpreter } from "./types.ts";
import { installCommand, uvFault } from "./uv.ts";

const SHA256 = createHash("sha256").update("an archive").digest("hex");
const ARTIFACT = "org.example:cpython:3.12.1:linux-x86_64";

let directory = "";
let said: BuildEvent[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "bring-"));
  said = [];
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function context(
  signal: AbortSignal = new AbortController().signal,
  locked: ImageLock | null = null,
): Promise<BringContext> {
  const files = join(directory, "files");
  return {
    rootfs: directory,
    scratch: directory,
    files: await SourceFiles.open({ directory: files, kept: null, locked, signal }),
    env: {},
    progress: new BuildProgress((event) => said.push(event)),
    signal,
  };
}

function entry(name: string, optional: boolean): InterpreterEntry {
  return InterpreterEntry.parse({
    name,
    source: "maven",
    builder: "other",
    optional,
    artifact: ARTIFACT,
    sha256: SHA256,
    tree: "tree",
    uv: true,
  });
}

function failing(code: ErrorCode) {
  return ({ name }: InterpreterEntry): SourcedInterpreter => ({
    executable: `/x/${name}`,
    library: "/x",
    origin: `maven ${ARTIFACT}`,
    packages: [],
    unpacked: [],
    bring: () =>
      name === "cpython-3.12"
        ? Promise.reject(new CreameryError(code, "can't be had", { nextStep: "do this" }))
        : Promise.resolve(),
  });
}

const ENTRIES = [entry("cpython-3.10", true), entry("cpython-3.12", true)];

test.each(["host-lacks", "no-network", "upstream", "deadline"] as const)(
  "an optional interpreter that can't be had (%s) is left out with its reason and the next step",
  async (code) => {
    const brought = await bringInterpreters(ENTRIES, await context(), failing(code));
    expect(brought.interpreters.map(({ entry: { name } }) => name)).toEqual(["cpython-3.10"]);
    expect(brought.missing).toEqual([
      { name: "cpython-3.12", reason: `maven ${ARTIFACT}: can't be had`, nextStep: "do this" },
    ]);
    expect(said.map(({ detail }) => detail)).toEqual(["without cpython-3.12: can't be had"]);
  },
);

test.each(["upstream-hash", "bad-archive", "image-build", "disk-full", "internal"] as const)(
  "an optional one that came and is not right (%s) ends the build",
  async (code) => {
    const usual = await context();
    await expect(bringInterpreters(ENTRIES, usual, failing(code))).rejects.toMatchObject({
      code,
    });
  },
);

test("one that is not optional must be had, and an interruption is none of its faults", async () => {
  const must = [entry("cpython-3.12", false)];
  const usual = await context();
  await expect(bringInterpreters(must, usual, failing("no-network"))).rejects.toMatchObject({
    code: "no-network",
  });
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(
    bringInterpreters(ENTRIES, { ...usual, signal }, failing("no-network")),
  ).rejects.toThrow("enough");
});

test("of a lock, what its image is without is left out again for the same reason, unasked, and nothing else is", async () => {
  const missing = [{ name: "cpython-3.12", reason: "maven x: can't be had", nextStep: "do this" }];
  const { signal } = new AbortController();
  const brought = await bringInterpreters(
    ENTRIES,
    await context(signal, sampleLock({ missing })),
    failing("internal"),
  );
  expect(brought.missing).toEqual(missing);
  expect(brought.interpreters.map(({ entry: { name } }) => name)).toEqual(["cpython-3.10"]);
  rmSync(join(directory, "files"), { recursive: true });
  const whole = await context(signal, sampleLock());
  await expect(bringInterpreters(ENTRIES, whole, failing("no-network"))).rejects.toMatchObject({
    code: "no-network",
  });
});

test.each([
  ["host-lacks", "CREAMERY: no mvn", /no Maven/u],
  ["host-lacks", "The JAVA_HOME environment variable is not defined correctly", /no Java/u],
  [
    "host-lacks",
    "[ERROR] Cannot access central (https://user:hunter2@maven.example/m2) in offline mode",
    /set offline/u,
  ],
  [
    "host-lacks",
    "[ERROR] Non-parseable settings /home/x/.m2/settings.xml: unexpected character",
    /can't read its settings/u,
  ],
  [
    "upstream",
    "[ERROR] Failed to execute goal: Unable to find/resolve artifact. Could not find artifact org.example:cpython in central (https://maven.example/m2)",
    /does not have it/u,
  ],
  [
    "upstream",
    "[ERROR] Could not transfer artifact from/to mirror (https://maven.example): status code: 401, reason phrase: Unauthorized (401)",
    /refuses the credentials/u,
  ],
  [
    "upstream",
    "[ERROR] PKIX path building failed: unable to find valid certification path",
    /certificate/u,
  ],
  ["upstream", "[ERROR] Failed https://user:hunter2@maven.example/m2 oddly", /oddly/u],
  [
    "upstream-hash",
    "[ERROR] Checksum validation failed, expected abc but is def",
    /not the one whose checksum/u,
  ],
  [
    "no-network",
    "[ERROR] Could not transfer artifact from/to central (https://maven.example): maven.example: Temporary failure in name resolution",
    /can't be reached/u,
  ],
  [
    "no-network",
    "[WARNING] Unrecognised tag: 'x' @ /home/x/.m2/settings.xml, line 3\n[ERROR] Could not transfer artifact from/to central (https://maven.example): maven.example: Temporary failure in name resolution",
    /can't be reached/u,
  ],
  [
    "host-lacks",
    "[ERROR] The specified user settings file does not exist: /home/x/.m2/settings.xml",
    /can't read its settings/u,
  ],
  ["no-network", "[ERROR] Connect to maven.example:443 failed: Connection refused", /reached/u],
  ["disk-full", "java.io.IOException: No space left on device", /disk filled up/u],
])("Maven's end is told as %s, with no address in it", (code, line, why) => {
  const fault = mavenFault(["[INFO] Scanning", line], ARTIFACT);
  expect(fault).toMatchObject({ code, input: ARTIFACT });
  expect(fault.message).toMatch(why);
  expect(fault.line).not.toMatch(/hunter2|maven\.example/u);
  expect(fault.nextStep).toBeTruthy();
});

test.each([
  ["no-network", "error: Failed to fetch: https://files.example/x\n  Caused by: dns error"],
  ["upstream", "error: No download found for request: cpython-3.12.99-linux-x86_64-gnu"],
  ["upstream-hash", "error: Hash mismatch for `cpython-3.12.13-linux-x86_64-gnu`"],
  ["disk-full", "error: failed to write: No space left on device (os error 28)"],
  ["upstream", "error: odd thing at https://user:hunter2@files.example/x"],
])("uv's end is told as %s", (code, text) => {
  const fault = uvFault(text.split("\n"), "cpython-3.12.13");
  expect(fault).toMatchObject({ code, input: "cpython-3.12.13" });
  expect(fault.line).not.toMatch(/hunter2|files\.example/u);
});

test("no list of other hashes is uv's, whoever's variable or file names one", () => {
  const { argv, env } = installCommand("/uv", "/made", "cpython-3.12.13", {
    CREAMERY_ASKER_HOME: "/home/x",
    UV_CONFIG_FILE: "/home/x/uv.toml",
    UV_PYTHON_DOWNLOADS_JSON_URL: "https://other.example/list.json",
    UV_PYTHON_INSTALL_MIRROR: "https://mirror.example",
  });
  expect(argv.slice(0, 4)).toEqual(["/uv", "python", "install", "--no-config"]);
  expect(argv.at(-1)).toBe("cpython-3.12.13");
  expect(env).toMatchObject({
    HOME: "/home/x",
    UV_PYTHON_INSTALL_MIRROR: "https://mirror.example",
  });
  expect(env).not.toHaveProperty("UV_PYTHON_DOWNLOADS_JSON_URL");
  expect(env).not.toHaveProperty("UV_CONFIG_FILE");
});
