import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { LauncherClient } from "../../launcher/client.ts";
import { toLauncherSchema } from "../../launcher/protocol.ts";
import { probeUserPath, readUserText } from "../../launcher/user-files.ts";
import { readConfig, type ReadConfig } from "./read-config.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-config-"));
  mkdirSync(join(root, "received"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A launcher in this process, which reads with the rights of whoever runs the test. */
function launcher(): LauncherClient {
  const [received, other] = [join(root, "received"), root];
  const session = {
    id: "s1-1",
    directory: root,
    received,
    repository: other,
    sockets: other,
    guests: other,
    exchange: other,
  };
  const client = new LauncherClient(root, (message) => {
    const parsed = toLauncherSchema.parse(message);
    if ("abort" in parsed) return;
    const { id, request } = parsed;
    const asked = { session, asker: { uid: 0, gid: 0 }, signal: new AbortController().signal };
    const answer =
      request.kind === "read-user-text"
        ? readUserText({ ...asked, ...request })
        : request.kind === "probe-user-path"
          ? probeUserPath({ ...asked, ...request })
          : Promise.reject(new Error(`${request.kind} is no business of a configuration`));
    answer.then(
      (value: object) => client.receive({ id, value }),
      (thrown: unknown) => {
        if (!(thrown instanceof CreameryError)) throw thrown;
        client.receive({ id, error: { code: thrown.code, reason: thrown.message } });
      },
    );
  });
  return client;
}

function read(text: string, env: NodeJS.ProcessEnv = {}): Promise<ReadConfig> {
  writeFileSync(join(root, "own.toml"), text);
  return readConfig("own.toml", root, launcher(), env);
}

async function refusal(asked: Promise<unknown>): Promise<string> {
  const outcome: unknown = await asked.catch((thrown: unknown) => thrown);
  if (!(outcome instanceof CreameryError)) throw new Error("was taken");
  expect(outcome.code).toBe("configuration-file");
  return outcome.line;
}

describe("the directories of a configuration file", () => {
  const CACHE = '[limits]\npids = 99\n[directories]\ncache = "/srv/cache"\n';

  test("are those that the command runs with", async () => {
    const env = { CREAMERY_DIRS_GIVEN: "", CREAMERY_CACHE_DIR: "/srv/cache" };
    expect((await read(CACHE, env)).config.directories).toEqual({ cache: "/srv/cache" });
    expect((await read("", { CREAMERY_DIRS_GIVEN: "" })).config.directories).toEqual({});
  });

  test("count for nothing where a person set the variable, or started the command line without ./creamery", async () => {
    const own = { CREAMERY_CACHE_DIR: "/own" };
    for (const env of [{ ...own, CREAMERY_DIRS_GIVEN: "cache run" }, own])
      expect((await read(CACHE, env)).config.directories).toEqual({ cache: "/srv/cache" });
  });

  test.each([
    [
      CACHE,
      {},
      /^own\.toml: line 4: directories\.cache: means \/srv\/cache, yet \.\/creamery read \/var\/cache\/creamery; write cache = "\/srv\/cache", .* or set CREAMERY_CACHE_DIR$/u,
    ],
    ['[directories]\n"run" = "/srv/run"', {}, /line 2: directories\.run: means \/srv\/run/u],
    ['directories = { data = "/srv/data" }', {}, /line 1: directories\.data: means \/srv\/data/u],
    // What looked like a table was none.
    [
      '[overrides]\ndirectory = """\n[directories]\ncache = "/no"\n"""',
      { CREAMERY_CACHE_DIR: "/no" },
      /directories\.cache: means \/var\/cache\/creamery, yet \.\/creamery read \/no/u,
    ],
  ])("that ./creamery did not understand are a fault: %j", async (text, env, line) => {
    expect(await refusal(read(text, { CREAMERY_DIRS_GIVEN: "", ...env }))).toMatch(line);
  });
});

describe("a file that can't be read is told by what it lacks", () => {
  test.each([
    ["none.toml", /^none\.toml: there is no such file or directory; see docs/u],
    ["received", /^received: is no file/u],
    ["large.toml", /^large\.toml: is larger than 1048576 bytes/u],
  ])("%s", async (name, line) => {
    writeFileSync(join(root, "large.toml"), `#${"x".repeat(1 << 20)}`);
    expect(await refusal(readConfig(name, root, launcher(), {}))).toMatch(line);
  });
});

test("a project without an override has none; one that is no file is a fault", async () => {
  mkdirSync(join(root, "own/wrong.toml"), { recursive: true });
  writeFileSync(join(root, "own/lmdb.toml"), "limits = { test_minutes = 3 }");
  const { overrideOf } = await read('[overrides]\ndirectory = "own"\n');
  expect(await overrideOf("attrs")).toBeUndefined();
  expect(await overrideOf("lmdb")).toMatchObject({ limits: { test_minutes: 3 } });
  expect(await refusal(overrideOf("wrong"))).toMatch(/wrong\.toml: is no file/u);
});

test("a directory of overrides that is not there would be passed over in silence", async () => {
  const [none, file] = ["none", "own.toml"].map((name) => `[overrides]\ndirectory = "${name}"\n`);
  expect(await refusal(read(none ?? ""))).toBe(
    `own.toml: line 2: overrides.directory: ${root}/none: there is no such file or directory; make it, or leave the key out`,
  );
  expect(await refusal(read(file ?? ""))).toMatch(/own\.toml: is no directory; make it/u);
});

test.each([
  ["index", '"not a url"'],
  ["index", '"ftp://index.example/"'],
  ["extra", '["https://index.example/", "user:secret@host"]'],
  ["crates", '"sparse+nothing"'],
])(
  "an upstream that is no address is told by file and key, and not shown: %s = %s",
  async (key, value) => {
    expect(await refusal(read(`[upstreams]\n${key} = ${value}\n`))).toBe(
      `own.toml: line 2: upstreams.${key}: is no address of an index; write it as in https://index.example/simple/`,
    );
  },
);

test("upstreams that are addresses are taken", async () => {
  const text =
    '[upstreams]\nindex = "http://user:secret@host/simple"\ncrates = "sparse+https://c/"\n';
  expect((await read(text)).config.upstreams.index).toBe("http://user:secret@host/simple");
});
