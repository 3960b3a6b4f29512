import { describe, expect, it } from "vitest";

import type { AttemptJson } from "../../src/model/result-json.ts";
import { attemptOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { packProjects, PASSING } from "./pack-projects.ts";

/** `./creamery test --at` as a person types it, beside an upstream that goes on. */

describe("test --at", () => {
  const project = "creamery-e2e-past";
  const needed = "creamery-e2e-past-needed";
  const farm = useFarm("past", [
    { name: project, requires: [needed], files: PASSING },
    { name: needed, files: PASSING },
  ]);

  it("resolves to the same files for one date, whatever was released, yanked or deleted since", async () => {
    const { upstream, test } = farm();
    const old = upstream.files.map((file) => ({ ...file, uploadTime: "2020-01-01T00:00:00Z" }));
    upstream.files.splice(0, old.length, ...old);
    const date = new Date().toISOString();
    const before = attemptOf(await test([project, "--at", date, "--json"]), project);
    expect([before.outcome, before.axes.indexDate]).toEqual(["pass", date]);
    expect(before.axes.lock).not.toBeNull();

    // Its dependency is yanked, and both have new releases; its sdist and its wheel are gone.
    const news = packProjects([
      { name: project, versions: ["2.0"], requires: [needed], files: PASSING },
      { name: needed, versions: ["2.0"], files: PASSING },
    ]).map((file) => ({ ...file, uploadTime: new Date(Date.now() - 1).toISOString() }));
    const yanked = old
      .filter((file) => file.project === needed)
      .map((file) => ({ ...file, yanked: "a mistake" }));
    upstream.files.splice(0, old.length, ...yanked, ...news);
    const now = new Date().toISOString();
    const since = attemptOf(await test([project, "--at", now, "--json"]), project);
    expect([since.version, since.outcome]).toEqual(["2.0", "pass"]);

    const after = attemptOf(await test([project, "--at", date, "--json"]), project);
    const told = ({ version, outcome, axes, installed }: AttemptJson) => ({
      version,
      outcome,
      installed,
      axes: [axes.indexDate, axes.lock, axes.source, axes.plan, axes.overlay],
    });
    expect(told(after)).toEqual(told(before));
    expect(told(since).axes).not.toEqual(told(before).axes);
  });

  it.each([
    ["yesterday", "is no instant"],
    ["2999-01-01", "is yet to come"],
  ])("refuses %s before anything is run", async (typed, reason) => {
    const ended = await farm().test([project, "--at", typed]);
    expect(wrongInRefusal(ended, 2, `--at ${typed}`, reason)).toEqual([]);
  });
});
