import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { AttemptRecord } from "../../src/index/index-service.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";
import { makeProvenance } from "../upstream/make-provenance.ts";
import type { Forge } from "../upstream/forge.ts";
import { projectElsewhere } from "./elsewhere-project.ts";
import { attemptOf, useFarm } from "./local-farm.ts";
import { FAILING, packProjects, PASSING, unittestOf } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";
import { trusting } from "./ways-to-start.ts";

/** Releases whose sdists hold no tests, whose repositories do; and what tests clone. */

describe("tests that are not in the sdist", () => {
  const name = "creamery-e2e-elsewhere";
  const fails = "creamery-e2e-elsewhere-fails";
  const clones = "creamery-e2e-clones";
  const attested = "creamery-e2e-attested";
  const other = "creamery-e2e-elsewhere-other";
  const provenances: Record<string, Buffer> = {};
  const farm = useFarm("elsewhere", [], {
    config: { addresses: { allow: ["127.0.0.1"] } },
    upstream: { provenances },
  });
  const forges: Forge[] = [];
  let ended: Ended | undefined;

  beforeAll(async () => {
    const { room, upstream, test } = farm();
    for (const [project, tests] of [
      [name, PASSING],
      [fails, FAILING],
      [attested, PASSING],
    ] as const) {
      const tag = project === attested ? null : "v1.0";
      const { forge, files, url, commit } = await projectElsewhere(project, tests, tag);
      forges.push(forge);
      upstream.files.push(...files);
      const sdist = files.find(({ filename }) => filename.endsWith(".tar.gz"));
      if (sdist === undefined) throw new Error("it has an sdist");
      const { filename, content } = sdist;
      if (project === attested)
        provenances[filename] = makeProvenance({ filename, content, url, commit });
    }
    const [served] = forges;
    // Not by the address of this host's loopback: what a suite serves there itself is left to it.
    const address = `git@${served?.origin.slice("https://".length)}/${name}.git`;
    const cloning = unittestOf(
      "import subprocess",
      `subprocess.check_call(["git", "clone", "-q", "--depth=1", "${address}", "copy"])`,
      'self.assertTrue(os.path.exists("copy/tests/test_it.py"))',
    );
    upstream.files.push(
      ...packProjects([{ name: other, urls: [`Source, ${served?.origin}/${name}.git`] }]),
      ...packProjects([{ name: clones, files: { "tests/test_it.py": cloning } }]),
    );
    const cas = join(room.base, "forges.pem");
    writeFileSync(cas, forges.map(({ ca }) => ca).join("\n"));
    ended = await test([name, fails, clones, attested, other, "--json"], {
      through: trusting(cas, room.base),
    });
  });
  afterAll(async () => {
    for (const forge of forges) await forge[Symbol.asyncDispose]();
  });

  it("are those of the tag, run against what was installed", () => {
    const attempt = attemptOf(ended, name);
    const why = JSON.stringify(attempt.plan.rejected, null, 1);
    expect(attempt, why).toMatchObject({ outcome: "pass", installed: "wheel" });
    expect(attempt.plan.rung).toMatch(/^A3\+B\d\+C\d$/u);
    expect(attempt.plan.rejected).toContainEqual({ rung: "A1", why: "the sdist holds no tests" });
    expect(attempt.evidence.repairs.join("\n")).toMatch(/\(tag v1\.0\): \d of the sdist's/u);
  });

  it("are those of the commit that the sdist's provenance names", () => {
    const { plan, outcome } = attemptOf(ended, attested);
    expect(outcome, JSON.stringify(plan.rejected)).toBe("pass");
    expect(plan.rung).toMatch(/^A2\+B\d\+C\d$/u);
  });

  it("fail, and fail again in another guest", () => {
    expect(attemptOf(ended, fails), ended?.stderr).toMatchObject({
      outcome: "fail",
      cause: "test-failure",
      confidence: "confirmed(2/2)",
    });
  });

  it("are the same when they are reproduced, with the repository's host away", async () => {
    const before = attemptOf(ended, name);
    for (const forge of forges) forge.fault = 503;
    try {
      const again = attemptOf(await farm().reproduce([before.id, "--json"]), name);
      const inputs = ({ axes, plan, outcome, tests }: AttemptJson) => ({
        lock: axes.lock,
        rung: plan.rung,
        outcome,
        tests,
      });
      expect(inputs(again)).toEqual(inputs(before));
    } finally {
      for (const forge of forges) forge.fault = null;
    }
  });

  it("of another project are not taken, and a replay looks for none", async () => {
    const before = attemptOf(ended, other);
    expect(before).toMatchObject({ outcome: "skip", plan: { rung: null } });
    expect(before.plan.rejected.map(({ why }) => why).join("\n")).toMatch(/no directory|too few/u);
    const asked = forges.flatMap(({ requests }) => requests).length;
    const again = attemptOf(await farm().reproduce([before.id, "--json"]), other);
    expect(again).toMatchObject({ outcome: "skip" });
    expect(again.plan.rejected).toContainEqual({ rung: "A2 to A4", why: "a replay asks nobody" });
    expect(forges.flatMap(({ requests }) => requests)).toHaveLength(asked);
  });

  it("may clone through the mirror, and the record says what they were given", async () => {
    const attempt = attemptOf(ended, clones);
    expect(attempt, ended?.stderr).toMatchObject({ outcome: "pass" });
    const packed = readFileSync(join(dirname(attempt.log ?? ""), "record.json.gz"));
    const { repositories } = AttemptRecord.parse(JSON.parse(gunzipSync(packed).toString()));
    expect(repositories.map(({ url, head, commits }) => [url, head, commits.length])).toEqual([
      [`${forges[0]?.origin}/${name}.git`, "refs/heads/main", 1],
    ]);
  });
});
