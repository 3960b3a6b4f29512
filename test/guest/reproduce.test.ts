import { existsSync, rmSync } from "node:fs";

import { beforeAll, describe, expect, it } from "vitest";

import type { AttemptJson } from "../../src/model/result-json.ts";
import { keptOf } from "./kept-files.ts";
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
