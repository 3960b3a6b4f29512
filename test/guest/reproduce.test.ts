import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";

import { beforeAll, describe, expect, it } from "vitest";

import { parsePylock } from "../../src/index/lock/pylock.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";
import { keptOf, wrongHashIn } from "./kept-files.ts";
import { attemptOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { FAILING, PASSING } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";

/** `./creamery reproduce` as a person types it. */

describe("reproduce", () => {
  const farm = useFarm("reproduce", [
    { name: "creamery-e2e-again", requires: ["creamery-e2e-needed"], files: PASSING },
    { name: "creamery-e2e-again-fails", requires: ["creamery-e2e-needed"], files: FAILING },
    { name: "creamery-e2e-needed", files: PASSING },
  ]);
  let first: Ended | undefined;

  beforeAll(async () => {
    first = await farm().test(["creamery-e2e-again", "creamery-e2e-again-fails", "--json"]);
  });

  it.each([
    ["a pass, by its id", "creamery-e2e-again", 0, 16],
    ["a failure, by a beginning of its id", "creamery-e2e-again-fails", 1, 15],
  ])(
    "runs %s, once more with the same inputs and asks no upstream",
    async (_how, project, code, chars) => {
      const { upstream, reproduce, stored } = farm();
      const before = attemptOf(first, project);
      const asked = upstream.requests.length;
      const ended = await reproduce([before.id.slice(0, chars), "--json"]);
      const after = attemptOf(ended, project);
      expect(ended.code).toBe(code);
      expect(before.axes.lock).not.toBeNull();
      const inputs = (attempt: AttemptJson) => {
        const { axes, plan, outcome, cause, confidence, tests, installed, source } = attempt;
        const {
          lock,
          image,
          source: sourceAxis,
          interpreter,
          machine,
          agent,
          plan: planAxis,
        } = axes;
        return [
          {
            outcome,
            cause,
            confidence,
            tests,
            installed,
            source,
            command: plan.command,
            rung: plan.rung,
          },
          { lock, image, sourceAxis, interpreter, machine, agent, planAxis },
        ];
      };
      expect(inputs(after)).toEqual(inputs(before));
      expect(after.id).not.toBe(before.id);
      expect((await stored()).find(({ attempt }) => attempt.id === after.id)).toMatchObject({
        reason: "reproduce",
        of: before.id,
      });
      expect(upstream.requests.slice(asked)).toEqual([]);
    },
  );

  it("names the newest attempts where nobody knows the id", async () => {
    const { reproduce, stored } = farm();
    const ended = await reproduce(["no-such-attempt"]);
    expect(
      wrongInRefusal(ended, 2, "no-such-attempt", "no attempt of this host begins so"),
    ).toEqual([]);
    const newest = (await stored()).slice(0, 3);
    expect(newest).toHaveLength(3);
    for (const { attempt } of newest)
      expect(ended.stderr).toContain(`${attempt.id} (${attempt.project}`);
  });

  describe("of which a file is kept no more", () => {
    it("has it from the index by its hash, where that still has it", async () => {
      const { upstream, reproduce } = farm();
      const needed = upstream.files.filter(
        ({ project, filename }) => project === "creamery-e2e-needed" && filename.endsWith(".whl"),
      );
      const [kept = ""] = keptOf(needed);
      rmSync(kept);
      const asked = upstream.requests.length;
      const replayed = await reproduce([attemptOf(first, "creamery-e2e-again").id]);
      expect(replayed.code, replayed.stderr).toBe(0);
      expect(upstream.requests.slice(asked).filter((line) => line.includes("/packages/"))).toEqual([
        `GET /packages/${needed[0]?.filename}`,
      ]);
      expect(existsSync(kept)).toBe(true);
    });

    it.each([
      ["a source", "creamery_e2e_again-1.0.tar.gz"],
      ["what was installed with it", "creamery_e2e_needed-1.0-py2.py3-none-any.whl"],
    ])("names %s that is to be had nowhere", async (_what, filename) => {
      const { upstream, reproduce } = farm();
      const gone = upstream.files.find((file) => file.filename === filename);
      if (gone === undefined) throw new Error(`no ${filename}`);
      upstream.files.splice(upstream.files.indexOf(gone), 1);
      const [kept = ""] = keptOf([gone]);
      rmSync(kept);
      const ended = await reproduce([attemptOf(first, "creamery-e2e-again").id]);
      expect(wrongInRefusal(ended, 3, filename, "is neither kept here nor on the index")).toEqual(
        [],
      );
      upstream.files.push(gone);
    });
  });
});

describe("reproduce with no upstream at all", () => {
  const buildSystem = [
    "[build-system]",
    'requires = ["creamery-e2e-tool"]',
    'build-backend = "backend"',
    'backend-path = ["."]',
    "",
  ].join("\n");
  const farm = useFarm("offline", [
    {
      name: "creamery-e2e-offline",
      publish: ["sdist"],
      requires: ["creamery-e2e-lib"],
      files: { ...PASSING, "pyproject.toml": buildSystem },
    },
    // Built as well, in an environment of its own.
    {
      name: "creamery-e2e-lib",
      publish: ["sdist"],
      files: { "pyproject.toml": buildSystem.replace("tool", "other-tool") },
    },
    { name: "creamery-e2e-tool", versions: ["1.0", "2.0"] },
    { name: "creamery-e2e-other-tool" },
    { name: "creamery-e2e-newer", requires: ["creamery-e2e-tool>=3"], files: PASSING },
    { name: "creamery-e2e-nowhere", requires: ["creamery-e2e-not-there"], files: PASSING },
    {
      name: "creamery-e2e-breaks",
      requires: ["creamery-e2e-broken"],
      files: PASSING,
    },
    {
      name: "creamery-e2e-broken",
      publish: ["sdist"],
      files: { "build_hook.py": "raise SystemExit('planted')\n" },
    },
  ]);
  const failing = ["newer", "nowhere", "breaks"].map((name) => `creamery-e2e-${name}`);
  let failed: Ended | undefined;
  let first: AttemptJson | undefined;
  let again: AttemptJson | undefined;
  let ended: Ended | undefined;
  const own = () => {
    if (first === undefined || again === undefined) throw new Error("nothing was run");
    return { first, again };
  };
  const textOf = (path: string | null | undefined) => readFileSync(path ?? "", "utf8");
  const hashesOf = (path: string | null | undefined) =>
    parsePylock(textOf(path))
      .packages.flatMap(({ sdist, wheels = [] }) => [...wheels, ...(sdist ? [sdist] : [])])
      .map(({ name, hashes }) => `${name} ${hashes["sha256"]}`);

  beforeAll(async () => {
    const { test, reproduce, upstream } = farm();
    first = attemptOf(await test(["creamery-e2e-offline", "--json"]), "creamery-e2e-offline");
    failed = await test([...failing, "--json"]);
    await upstream[Symbol.asyncDispose]();
    ended = await reproduce([first.id, "--json"]);
    again = attemptOf(ended, "creamery-e2e-offline");
  });

  it("comes to the same, from the same files, those of each build among them", () => {
    const { first: before, again: after } = own();
    expect([before.outcome, before.installed]).toEqual(["pass", "sdist"]);
    expect([after.outcome, after.installed, ended?.code]).toEqual(["pass", "sdist", 0]);
    expect(hashesOf(after.evidence.lock)).toEqual(hashesOf(before.evidence.lock));
    expect(hashesOf(after.evidence.buildLock)).toEqual(hashesOf(before.evidence.buildLock));
    expect(hashesOf(before.evidence.lock).map((text) => text.split(" ")[0])).toEqual([
      "creamery_e2e_lib-1.0.tar.gz",
      "creamery_e2e_offline-1.0.tar.gz",
    ]);
    expect(hashesOf(before.evidence.buildLock).map((text) => text.split(" ")[0])).toEqual([
      "creamery_e2e_other_tool-1.0-py2.py3-none-any.whl",
      "creamery_e2e_tool-2.0-py2.py3-none-any.whl",
    ]);
    expect(after.axes.lock).toBe(before.axes.lock);
  });

  it.each([
    ["newer", "unresolvable"],
    ["nowhere", "no-distribution(creamery-e2e-not-there)"],
    ["breaks", "dependency-build(creamery-e2e-broken)"],
  ])("fails as it did where what it needs is %s: %s", async (name, cause) => {
    const before = attemptOf(failed, `creamery-e2e-${name}`);
    expect(before.cause).toBe(cause);
    const after = attemptOf(await farm().reproduce([before.id, "--json"]), `creamery-e2e-${name}`);
    expect([after.outcome, after.cause, after.phase]).toEqual([
      before.outcome,
      before.cause,
      before.phase,
    ]);
  });

  it.each(["lock", "buildLock"] as const)(
    "refuses an attempt whose %s was edited, in one line",
    async (which) => {
      const { first: before } = own();
      const path = before.evidence[which] ?? "";
      const text = textOf(path);
      writeFileSync(path, wrongHashIn(text));
      const refused = await farm().reproduce([before.id]);
      writeFileSync(path, text);
      expect(
        wrongInRefusal(refused, 3, path.slice(path.indexOf("attempts/")), "is damaged"),
      ).toEqual([]);
    },
  );

  it("refuses one that lacks a lock", async () => {
    const { first: before } = own();
    const path = before.evidence.buildLock ?? "";
    const kept = [path, `${path}.blob.json`].map((file) => [file, textOf(file)] as const);
    for (const [file] of kept) rmSync(file);
    const refused = await farm().reproduce([before.id]);
    for (const [file, text] of kept) writeFileSync(file, text);
    expect(wrongInRefusal(refused, 3, "pylock.build.toml", "is not there any more")).toEqual([]);
  });
});
