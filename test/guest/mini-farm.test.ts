import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { ResultJson, type AttemptJson } from "../../src/model/result-json.ts";
import { buildMiniFarm } from "../mini-farm/build.ts";
import {
  differences,
  expectedOnQemu,
  testedProjects,
  unprintable,
  type TestedProject,
} from "../mini-farm/expectations.ts";
import { startUpstream, type RunningUpstream } from "../upstream/upstream.ts";
import { CommandRoom, type Ended } from "./run-command.ts";

/**
 * The whole farm, by its real command line: projects of ours, one for each outcome and cause, from a local index into
 * real guests (test/mini-farm/README.md). pytest comes from this host's own index, everything else from the local one.
 */

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
/** A first virtual machine of a size waits for its snapshot. */
const HOOK_MS = { auto: 600_000, qemu: FULL ? 4 * 3_600_000 : 1_500_000 };

/** Whom pytest asks for on an interpreter of today; on 2.7 its old version asks for many more. */
const PYTEST = new Set(["pytest", "pluggy", "iniconfig", "packaging", "pygments"]);

/** Of machine kinds, what the host takes by itself, and virtual machines, which take their time without KVM. */
type Kind = "auto" | "qemu";

interface Run {
  readonly configuration: string;
  readonly machine: Kind;
  readonly from: "auto" | "sdist";
  readonly projects: readonly TestedProject[];
}

/** One command for all projects that are tested in the same way. */
const runs: readonly Run[] = [
  ...Map.groupBy(
    testedProjects().flatMap((project) =>
      placesOf(project).map((place) => ({ ...place, project })),
    ),
    ({ configuration, machine, project }) => `${machine} ${configuration} ${project.farm.from}`,
  ).values(),
].flatMap((members): Run[] => {
  const [first] = members;
  if (first === undefined) return [];
  return [
    {
      configuration: first.configuration,
      machine: first.machine,
      from: first.project.farm.from,
      projects: members.map(({ project, machine }) =>
        machine === "qemu" ? { ...project, expected: expectedOnQemu(project) } : project,
      ),
    },
  ];
});

function placesOf({ farm }: TestedProject): { configuration: string; machine: Kind }[] {
  const usual = [...farm.on, ...(FULL ? farm.on_full : [])];
  const virtual = farm.on_qemu || FULL ? farm.on.slice(0, 1) : [];
  return [
    ...usual.map((configuration) => ({ configuration, machine: "auto" as const })),
    ...virtual.map((configuration) => ({ configuration, machine: "qemu" as const })),
  ];
}

const room = new CommandRoom("mini-farm");
let config = "";
let upstream: RunningUpstream | undefined;

beforeAll(async () => {
  // A page that is kept would outlive a port that is used again.
  upstream = await startUpstream({ files: buildMiniFarm(), maxAgeSeconds: 0 });
  const limited = testedProjects().flatMap(({ name, farm: { limits } }) =>
    limits === undefined ? [] : [[name, { limits }] as const],
  );
  config = room.writeConfig("creamery.toml", {
    // Only the extra index is ours: `index` is left to be this host's own.
    upstreams: { extra: [upstream.url] },
    project: Object.fromEntries(limited),
  });
});

afterAll(async () => {
  await upstream?.[Symbol.asyncDispose]();
  await room[Symbol.asyncDispose]();
});

function parseResult(stdout: string): ResultJson {
  return ResultJson.parse(JSON.parse(stdout));
}

describe.each(runs)("the mini-farm on $configuration from $from, machine $machine", (run) => {
  let ended: Ended | undefined;
  let attempts: ReadonlyMap<string, AttemptJson> = new Map();
  let asked: readonly string[] = [];

  beforeAll(async () => {
    const names = run.projects.map(({ name }) => name);
    const from = run.from === "auto" ? [] : ["--from", run.from];
    const askedBefore = upstream?.requests.length ?? 0;
    ended = await room.run([
      "test",
      ...names,
      "--on",
      run.configuration,
      ...from,
      "--machine",
      run.machine,
      "--json",
      "--config",
      config,
    ]);
    asked = upstream?.requests.slice(askedBefore) ?? [];
    const result = parseResult(ended.stdout === "" ? "null" : ended.stdout);
    attempts = new Map(result.attempts.map((attempt) => [attempt.project, attempt]));
  }, HOOK_MS[run.machine]);

  it("prints one result for each project, and nothing else", () => {
    expect([...attempts.keys()].toSorted(), ended?.stderr).toEqual(
      run.projects.map(({ name }) => name).toSorted(),
    );
    expect([...attempts.values()].filter((one) => one.configuration !== run.configuration)).toEqual(
      [],
    );
  });

  it("exits with 1 where anything is not sound, else with 0", () => {
    const sound = run.projects.every(
      ({ expected: { outcome, cause } }) =>
        outcome === "pass" || outcome === "skip" || cause === "machine-difference",
    );
    expect(ended?.code, ended?.stderr).toBe(sound ? 0 : 1);
  });

  it("shows no control character of a package's", () =>
    expect(unprintable([...attempts.values()])).toEqual([]));

  it.skipIf(run.configuration === "cpython-2.7")(
    "asks for no name but ours and pytest's: what the local index lacks, the host's is asked for",
    () => {
      const names = asked.flatMap((line) => /\/simple\/([^/]+)\//u.exec(line)?.[1] ?? []);
      expect(names).toContain(run.projects[0]?.name);
      expect(
        names.filter((name) => !name.startsWith("creamery-farm-") && !PYTEST.has(name)),
      ).toEqual([]);
    },
  );

  it("leaves no process, mount, control group or file of its session", () => {
    // The checker sees what there is: a launcher that runs.
    expect(ended?.seen.length).toBeGreaterThan(0);
    expect(ended?.leaks).toEqual([]);
  });

  it.each(run.projects)("$name: $expected.outcome, $expected.cause", ({ name, expected }) => {
    const attempt = attempts.get(name);
    if (attempt === undefined) throw new Error(`no result of ${name}`);
    expect(differences(expected, attempt), JSON.stringify(attempt, null, 1)).toEqual([]);
  });
});
