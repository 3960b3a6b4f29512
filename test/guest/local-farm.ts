import { join } from "node:path";

import type { TomlTable } from "smol-toml";
import { afterAll, beforeAll, expect } from "vitest";

import { ResultJson, type AttemptJson } from "../../src/model/result-json.ts";
import { openStore } from "../../src/store/open-store.ts";
import type { StoredAttempt } from "../../src/store/store.ts";
import { startUpstream, type RunningUpstream, type UpstreamOptions } from "../upstream/upstream.ts";
import { packProjects, type SmallProject } from "./pack-projects.ts";
import { upstreamsOf } from "./upstreams-of.ts";
import { CommandRoom, type CommandOptions, type Ended } from "./run-command.ts";

/** An upstream of ours and the real command line beside it. */
export interface LocalFarm {
  readonly room: CommandRoom;
  readonly upstream: RunningUpstream;
  /** Of a configuration that names the upstream. */
  readonly config: string;
  /** `creamery test` with these words, on one configuration unless they say another. */
  readonly test: (words: readonly string[], options?: CommandOptions) => Promise<Ended>;
  readonly reproduce: (words: readonly string[], options?: CommandOptions) => Promise<Ended>;
  /** What the store holds, newest first. */
  readonly stored: () => Promise<readonly StoredAttempt[]>;
  /** Another configuration, which names the same upstream unless it says another. @returns its path. */
  readonly configure: (name: string, table: TomlTable) => string;
}

export interface LocalFarmOptions {
  readonly config?: TomlTable;
  readonly upstream?: Omit<Partial<UpstreamOptions>, "files">;
}

/** For the tests of one block: directories of their own and an upstream that has these projects. */
export function useFarm(
  name: string,
  projects: readonly SmallProject[],
  { config: more = {}, upstream: options = {} }: LocalFarmOptions = {},
): () => LocalFarm {
  let farm: LocalFarm | undefined;
  beforeAll(async () => {
    const room = new CommandRoom(name);
    // A page that is kept would outlive a port that is used again.
    const upstream = await startUpstream({
      files: packProjects(projects),
      maxAgeSeconds: 0,
      ...options,
    });
    const { login } = options;
    const index =
      login === undefined
        ? upstream.url
        : upstream.url.replace("://", `://${login.user}:${login.password}@`);
    const config = room.writeConfig("creamery.toml", { ...more, upstreams: upstreamsOf(index) });
    farm = {
      room,
      upstream,
      config,
      // Of an option that is given twice the last one counts.
      test: (words, given) =>
        room.run(["test", "--config", config, "--on", "cpython-3.13", ...words], given),
      reproduce: (words, given) => room.run(["reproduce", "--config", config, ...words], given),
      configure: (file, table) =>
        room.writeConfig(file, { upstreams: upstreamsOf(upstream.url), ...table }),
      stored: () => storedIn(room.dataDirectory),
    };
  });
  afterAll(async () => {
    await farm?.upstream[Symbol.asyncDispose]();
    await farm?.room[Symbol.asyncDispose]();
  });
  return () => {
    if (farm === undefined) throw new Error("there is no farm yet");
    return farm;
  };
}

/** What the store of a data directory holds, newest first. */
export async function storedIn(dataDirectory: string): Promise<readonly StoredAttempt[]> {
  await using store = await openStore(join(dataDirectory, "store.sqlite"));
  return await store.attempts({ limit: 100 });
}

/** What `--json` printed: one line, and nothing else. */
export function attemptsOf({ stdout, stderr }: Ended): readonly AttemptJson[] {
  expect(stdout, stderr.slice(-2000)).toMatch(/^\{[^\n]*\}\n$/u);
  return ResultJson.parse(JSON.parse(stdout)).attempts;
}

export function attemptOf(ended: Ended | undefined, project: string): AttemptJson {
  if (ended === undefined) throw new Error("nothing was run");
  const attempt = attemptsOf(ended).find((one) => one.project === project);
  if (attempt === undefined) throw new Error(`no attempt of ${project}: ${ended.stdout}`);
  return attempt;
}

/** What is not as it should be in a command that did nothing and said why: one line with input, reason and next step. */
export function wrongInRefusal(
  { code, stdout, stderr }: Ended,
  expected: 2 | 3,
  input: string,
  reason: string,
): string[] {
  return [
    ...(code === expected ? [] : [`exit ${code}, not ${expected}`]),
    ...(stdout === "" ? [] : [`on standard output: ${stdout}`]),
    ...(/^creamery: [^\n]+; [^\n;]+\n$/u.test(stderr)
      ? []
      : [`no line with a next step: ${stderr}`]),
    ...[input, reason]
      .filter((text) => !stderr.includes(text))
      .map((text) => `no ${text}: ${stderr}`),
  ];
}
