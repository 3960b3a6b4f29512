import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { freePort } from "../free-port.ts";
import type { Fault } from "../upstream/upstream.ts";
import { keptOf, sha256Of } from "./kept-files.ts";
import { attemptOf, attemptsOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { upstreamsOf } from "./upstreams-of.ts";
import { PASSING } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";
import { openSlowDoor } from "./slow-door.ts";

/** What `./creamery test` makes of an index that fails, is slow, or is asked for one thing twice. */

describe("an upstream that fails", () => {
  const farm = useFarm(
    "faults",
    ["page", "source", "wheel-500", "wheel-wrong", "wheel-cut"].map((end) => ({
      name: `creamery-e2e-${end}`,
      files: PASSING,
    })),
  );
  const page = "/simple/creamery-e2e-page/";
  const source = "/packages/creamery_e2e_source-1.0.tar.gz";
  let wheels: Promise<Ended> | undefined;

  beforeAll(() => {
    const { upstream, test } = farm();
    const wheel = (end: string) => `/packages/creamery_e2e_wheel_${end}-1.0-py2.py3-none-any.whl`;
    upstream.faults.push(
      { on: wheel("500"), kind: "status" },
      { on: wheel("wrong"), kind: "wrong-bytes" },
      { on: wheel("cut"), kind: "truncate", times: 2 },
    );
    const names = ["wheel-500", "wheel-wrong", "wheel-cut"].map((end) => `creamery-e2e-${end}`);
    // Installers wait between their tries: the other tests need not.
    wheels = test([...names, "--jobs", "3", "--json"]);
  });

  it.each<[name: string, fault: Fault, reason: string]>([
    ["a page: 500", { on: page, kind: "status" }, "answers 500"],
    ["a page: garbage", { on: page, kind: "garbage" }, "no project's page"],
    ["a source: 500", { on: source, kind: "status" }, "answers 500"],
    ["a source: garbage", { on: source, kind: "garbage" }, "cut short"],
    ["a source: wrong bytes", { on: source, kind: "wrong-bytes" }, "sha256"],
    ["a source: cut short again and again", { on: source, kind: "truncate" }, "broke off"],
  ])("is told in one line: %s", async (_name, fault, reason) => {
    const { upstream, test } = farm();
    const project = fault.on === page ? "creamery-e2e-page" : "creamery-e2e-source";
    upstream.faults.push(fault);
    const refused = await test([project]);
    upstream.faults.splice(upstream.faults.indexOf(fault), 1);
    expect(wrongInRefusal(refused, 3, `${upstream.origin}${fault.on}`, reason)).toEqual([]);
    expect(upstream.requests.some((line) => line.includes(fault.on))).toBe(true);
    expect(keptOf(upstream.files.filter((file) => file.project === project))).toEqual([]);
  });

  afterAll(async () => void (await wheels));

  it("is told in one line: away altogether", async () => {
    const { configure, test } = farm();
    const origin = `http://127.0.0.1:${await freePort()}`;
    const config = configure("away.toml", { upstreams: upstreamsOf(`${origin}/simple/`) });
    const refused = await test(["creamery-e2e-page", "--config", config]);
    expect(
      wrongInRefusal(refused, 3, `${origin}/simple/creamery-e2e-page/`, "can't be reached"),
    ).toEqual([]);
  });

  it("gives no verdict about a release whose wheel can't be had, and takes up again what was cut", async () => {
    const ended = await wheels;
    expect(ended?.code).toBe(3);
    const error = { outcome: "error", cause: "index-mirror", installed: null };
    expect(attemptOf(ended, "creamery-e2e-wheel-500")).toMatchObject(error);
    expect(attemptOf(ended, "creamery-e2e-wheel-wrong")).toMatchObject(error);
    expect(attemptOf(ended, "creamery-e2e-wheel-cut")).toMatchObject({ outcome: "pass" });
    const { upstream } = farm();
    expect(upstream.requests).toContainEqual(expect.stringMatching(/cut-1.0\S+ bytes=\d+-$/u));
    const wrong = upstream.files.filter(
      ({ project, filename }) =>
        project === "creamery-e2e-wheel-wrong" && filename.endsWith(".whl"),
    );
    expect(wrong).toHaveLength(1);
    expect(keptOf(wrong)).toEqual([]);
  });

  it("says in the result what the index did wrong", async () => {
    const { evidence } = attemptOf(await wheels, "creamery-e2e-wheel-wrong");
    expect(evidence.firstLines.join("\n")).toContain("sha256");
  });

  it("leaves nothing that a later run takes for done", async () => {
    const { upstream, room, test, stored } = farm();
    await wheels;
    upstream.faults.length = 0;
    const names = ["page", "source", "wheel-500", "wheel-wrong"].map(
      (end) => `creamery-e2e-${end}`,
    );
    const ended = await test([...names, "--json"]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(attemptsOf(ended).map(({ project, outcome }) => `${project} ${outcome}`)).toEqual(
      names.map((name) => `${name} pass`),
    );
    const files = upstream.files.filter(({ project }) => names.includes(project));
    expect(keptOf(files).map((path) => sha256Of(readFileSync(path)))).toEqual(
      files.map(({ content }) => sha256Of(content)),
    );
    expect(readdirSync(join(room.dataDirectory, "partial"))).toEqual([]);
    expect(await stored()).toHaveLength(3 + names.length);
  });
});

describe("attempts side by side", () => {
  const farm = useFarm("side-by-side", [{ name: "creamery-e2e-alone", publish: ["wheel"] }]);

  it("have one download of the wheel that both ask for", async () => {
    const { configure, upstream, room } = farm();
    const wheel = "/packages/creamery_e2e_alone-1.0-py2.py3-none-any.whl";
    const bothWant = Promise.withResolvers<void>();
    await using door = await openSlowDoor(upstream.origin, wheel, bothWant.promise);
    const config = configure("door.toml", { upstreams: upstreamsOf(`${door.origin}/simple/`) });
    const on = ["--on", "cpython-3.13,cpython-3.11", "--jobs", "2"];
    const running = room.start(["test", "creamery-e2e-alone", "--config", config, "--json", ...on]);
    await running.said(/: fetch [^]*: fetch /u);
    await sleep(5000);
    bothWant.resolve();
    const ended = await running.ended;
    const attempts = attemptsOf(ended);
    expect(
      attempts.map(({ installed }) => installed),
      ended.stdout,
    ).toEqual(["wheel", "wheel"]);
    // Both waited for it.
    expect(attempts.filter(({ seconds }) => (seconds["install"] ?? 0) > 0.7)).toHaveLength(2);
    expect(upstream.requests.filter((line) => line === `GET ${wheel}`)).toHaveLength(1);
  });
});
