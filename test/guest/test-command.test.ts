import { execFileSync } from "node:child_process";
import { chownSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { unprintable } from "../mini-farm/expectations.ts";
import { attemptOf, attemptsOf, storedIn, useFarm, wrongInRefusal } from "./local-farm.ts";
import { FAILING, PASSING, unittestOf } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";
import { ON_A_TERMINAL } from "./ways-to-start.ts";

/** `./creamery test` as a person types it: what it prints, isolates, reads of a project, and does on a full disk. */

describe("what is printed", () => {
  const hostile = "\\x1b[45mHOSTILE\\x1b]0;owned\\x07\\x1b[2J\\u202e\\u009b31m";
  const farm = useFarm(
    "printed",
    [
      {
        name: "creamery-e2e-hostile",
        files: {
          "tests/test_it.py": unittestOf(
            `print("\\n${hostile}")`,
            `with self.subTest("${hostile}"):`,
            `    self.fail("${hostile}")`,
          ),
        },
      },
      { name: "creamery-e2e-quick", files: PASSING },
    ],
    { config: { isolation: { confirm: false } } },
  );
  /** The person who asked, by sudo. */
  const asker = { SUDO_UID: "65534", SUDO_GID: "65534" };

  it("is plain where there is no terminal, with the log, and a report that belongs to the person who asked", async () => {
    const { room, test } = farm();
    const directory = join(room.base, "own");
    mkdirSync(directory);
    chownSync(directory, 65534, 65534);
    const words = [
      "creamery-e2e-hostile",
      "creamery-e2e-quick",
      "--log",
      "--junit",
      "own/junit.xml",
    ];
    const { code, stdout, stderr } = await test(words, { env: { ...asker, NO_COLOR: "" } });
    expect(code, stderr).toBe(1);
    expect(stdout).toContain("HOSTILE");
    expect(stderr).toMatch(
      /^creamery-e2e-hostile \S+ \S+ \| == test: \S+python -m creamery_unittest /mu,
    );
    expect(stderr).toContain(String.raw`\x1b[45mHOSTILE\x1b]0;owned\x07`);
    expect(unprintable({ stdout, stderr })).toEqual([]);

    const junit = join(directory, "junit.xml");
    expect(statSync(junit)).toMatchObject({ uid: 65534, gid: 65534 });
    expect(readdirSync(directory)).toEqual(["junit.xml"]);
    expect(suitesOf(junit)).toEqual([
      ["creamery-e2e-hostile 1.0 / cpython-3.13", "1", "1"],
      ["creamery-e2e-quick 1.0 / cpython-3.13", "1", "0"],
    ]);
  });

  it("is not lost where the report can't be written: the attempts are kept", async () => {
    const { room, test, stored } = farm();
    const before = (await stored()).length;
    mkdirSync(join(room.base, "roots-own"), { mode: 0o755 });
    const report = "roots-own/junit.xml";
    const ended = await test(["creamery-e2e-quick", "--json", "--junit", report], { env: asker });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(
      /^creamery: \S+\/roots-own\/junit\.xml: can't be written: permission denied; [^\n]+\n$/mu,
    );
    const kept = await stored();
    expect(kept).toHaveLength(before + 1);
    expect(kept[0]?.attempt.id).toBe(attemptsOf(ended)[0]?.id);
    expect(readdirSync(join(room.base, "roots-own"))).toEqual([]);
  });

  it("is asked for somewhere before anything is run", async () => {
    const { test, stored } = farm();
    const before = (await stored()).length;
    const refused = await test(["creamery-e2e-quick", "--junit", "no-such-directory/junit.xml"]);
    expect(wrongInRefusal(refused, 2, "no-such-directory", "its directory is not there")).toEqual(
      [],
    );
    expect(await stored()).toHaveLength(before);
  });

  it("is live rows on a terminal, in which a package has no escape sequence of its own", async () => {
    const env = { NO_COLOR: "", TERM: "xterm" };
    const { code, stdout } = await farm().test(["creamery-e2e-hostile", "--log"], {
      through: ON_A_TERMINAL,
      env,
    });
    expect(code, stdout).toBe(1);
    // A row is drawn over the one before.
    expect(stdout).toMatch(
      /\x1b\[1A\x1b\[2K\x1b\[\?7l\x1b\[36mcreamery-e2e-hostile 1\.0 cpython-3\.13 +\d/u,
    );
    expect(stdout).toContain("HOSTILE");
    const ours = /\x1b\[(?:2K|1A|\?7[lh]|3[1236]m|39m)/gu;
    expect(unprintable(stdout.replaceAll(ours, "").replaceAll("\r", ""))).toEqual([]);
  });

  it("has no control code on a terminal where NO_COLOR is set", async () => {
    const env = { NO_COLOR: "1", TERM: "xterm" };
    const { code, stdout } = await farm().test(["creamery-e2e-hostile"], {
      through: ON_A_TERMINAL,
      env,
    });
    expect(code, stdout).toBe(1);
    expect(stdout).toContain("creamery-e2e-hostile 1.0 cpython-3.13: test");
    expect(unprintable(stdout.replaceAll("\r\n", "\n"))).toEqual([]);
  });
});

/** Name, tests and failures of each suite, as Python's own parser reads them. */
function suitesOf(junit: string): unknown {
  const script =
    "import json, sys, xml.etree.ElementTree as e; print(json.dumps([[s.get(k) for k in ('name', 'tests', 'failures')] for s in e.parse(sys.argv[1]).iter('testsuite')]))";
  return JSON.parse(execFileSync("python3", ["-I", "-c", script, junit], { encoding: "utf8" }));
}

describe("isolation, the kind of build and the image", () => {
  const farm = useFarm("isolation", [
    { name: "creamery-e2e-quick", files: PASSING },
    { name: "creamery-e2e-fails", files: FAILING },
  ]);

  it("builds by --from sdist though a wheel fits, in the machine that was asked for", async () => {
    const words = ["creamery-e2e-quick", "--from", "sdist", "--machine", "container", "--json"];
    const attempt = attemptOf(await farm().test(words), "creamery-e2e-quick");
    expect(attempt).toMatchObject({ installed: "sdist", machine: "container", outcome: "pass" });
  });

  // What the minimum keeps from a container is confirmed in a virtual machine: virtual-machines.test.ts.
  it("leaves a failure unconfirmed by confirm = false", async () => {
    const { configure, test, stored } = farm();
    const before = (await stored()).length;
    const config = configure("unconfirmed.toml", { isolation: { confirm: false } });
    const ended = await test(["creamery-e2e-fails", "--json", "--config", config]);
    expect(ended.code).toBe(1);
    expect(attemptOf(ended, "creamery-e2e-fails")).toMatchObject({
      machine: "gvisor",
      outcome: "fail",
      cause: "test-failure",
      confidence: "unconfirmed",
    });
    expect(await stored()).toHaveLength(before + 1);
  });

  it("runs on the image that is named, and on no other", async () => {
    const { test } = farm();
    const [first] = attemptsOf(await test(["creamery-e2e-quick", "--json"]));
    const named = await test(["creamery-e2e-quick", "--json", "--image", first?.image ?? ""]);
    expect(attemptsOf(named).map(({ image }) => image)).toEqual([first?.image]);
    const missing = "2020.1.1+00000000";
    const refused = await test(["creamery-e2e-quick", "--image", missing]);
    expect(wrongInRefusal(refused, 2, missing, "there is no such image")).toEqual([]);
  });

  it("refuses a machine below the minimum", async () => {
    const { configure, test } = farm();
    const config = configure("strict.toml", { isolation: { minimum: "gvisor" } });
    const refused = await test([
      "creamery-e2e-quick",
      "--machine",
      "container",
      "--config",
      config,
    ]);
    expect(wrongInRefusal(refused, 2, "--machine container", 'isolation.minimum "gvisor"')).toEqual(
      [],
    );
  });
});

describe("[tool.creamery] of a project", () => {
  const project = (table: string) =>
    `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n${table}`;
  const checks =
    '[tool.creamery]\ncommand = ["{python}", "-m", "unittest", "discover", "-s", "checks"]\n';
  const limits = (minutes: number) => `[tool.creamery.limits]\ntest_minutes = ${minutes}\n`;
  const sleeping = { "tests/test_it.py": unittestOf("time.sleep(300)") };
  const passing = PASSING["tests/test_it.py"];
  const failing = FAILING["tests/test_it.py"];
  const names = ["commands", "raises", "lowers", "mistypes", "is-overruled"];
  const farm = useFarm(
    "own-table",
    [
      {
        name: "creamery-e2e-commands",
        files: { "pyproject.toml": project(checks), "checks/test_it.py": passing, ...FAILING },
      },
      {
        name: "creamery-e2e-raises",
        files: { "pyproject.toml": project(limits(60)), ...sleeping },
      },
      {
        name: "creamery-e2e-lowers",
        files: { "pyproject.toml": project(limits(0.02)), ...sleeping },
      },
      {
        name: "creamery-e2e-mistypes",
        files: {
          // There is no `checks`: what is passed over is never run.
          "pyproject.toml": project(checks.replace("command", "comand")),
          ...PASSING,
        },
      },
      {
        name: "creamery-e2e-is-overruled",
        files: { "pyproject.toml": project(checks), "checks/test_it.py": failing, ...PASSING },
      },
    ],
    {
      config: {
        isolation: { confirm: false },
        project: {
          "creamery-e2e-raises": { limits: { test_minutes: 0.02 } },
          "creamery-e2e-is-overruled": {
            command: ["{python}", "-m", "unittest", "discover", "-s", "tests"],
          },
        },
      },
    },
  );
  const matching = (what: RegExp): unknown => expect.stringMatching(what);
  let ended: Ended | undefined;
  beforeAll(async () => {
    ended = await farm().test([...names.map((name) => `creamery-e2e-${name}`), "--json"]);
  });

  it("says how it is tested", () =>
    expect(attemptOf(ended, "creamery-e2e-commands")).toMatchObject({
      outcome: "pass",
      plan: { rung: "B0+override", command: matching(/ discover -s checks$/u) },
    }));

  it.each([
    ["raises no limit of the operator's", "creamery-e2e-raises"],
    ["lowers a limit", "creamery-e2e-lowers"],
  ])("%s", (_what, name) =>
    expect(attemptOf(ended, name)).toMatchObject({ outcome: "killed", cause: "timeout" }),
  );

  it("counts for nothing where it is wrong, and the result says why", () => {
    const attempt = attemptOf(ended, "creamery-e2e-mistypes");
    expect(attempt).toMatchObject({ outcome: "pass", plan: { rung: "B0+C7" } });
    expect(attempt.plan.rejected).toContainEqual({
      rung: "override",
      why: "pyproject.toml line 6: tool.creamery.comand: unknown key; did you mean command?",
    });
  });

  it("gives way to the operator's word", () =>
    expect(attemptOf(ended, "creamery-e2e-is-overruled")).toMatchObject({
      outcome: "pass",
      plan: { rung: "B0+override", command: matching(/ discover -s tests$/u) },
    }));
});

describe("a full disk below the data directory", () => {
  const farm = useFarm("full-disk", [
    { name: "creamery-e2e-quick", files: PASSING },
    {
      name: "creamery-e2e-loud",
      files: { "tests/test_it.py": unittestOf("for _ in range(8000):", '    print("x" * 1000)') },
    },
  ]);
  let disk: SmallDisk | undefined;
  beforeAll(async () => {
    const { room } = farm();
    disk = await mountSmallDisk(room.dataDirectory, room.base);
  });
  afterAll(async () => disk?.[Symbol.asyncDispose]());
  const test = (...words: string[]) => {
    if (disk === undefined) throw new Error("there is no disk");
    return farm().test(words, { through: disk.through });
  };

  it("is told in one line where there is no room for a store", async () => {
    disk?.fill();
    expect(
      wrongInRefusal(
        await test("creamery-e2e-quick"),
        3,
        "store.sqlite",
        "no space for the results",
      ),
    ).toEqual([]);
  });

  it("is no hindrance once there is room again", async () => {
    disk?.free();
    const ended = await test("creamery-e2e-quick");
    expect(ended.code, ended.stderr).toBe(0);
  });

  it("is told in one line where there is a store already", async () => {
    disk?.fill();
    const refused = await test("creamery-e2e-quick");
    disk?.free();
    expect(wrongInRefusal(refused, 3, "store.sqlite", "no space for the results")).toEqual([]);
  });

  it("ends a command whose log fills it, which keeps what had ended and nothing by halves", async () => {
    const ended = await test("creamery-e2e-quick", "creamery-e2e-loud", "--jobs", "1", "--json");
    expect(ended.stderr).toMatch(/quick.*: pass [^]*loud.*: test /u);
    expect(ended.stderr).toMatch(/^creamery: [^\n]+\.log: [^\n]*disk is full[^\n]*; [^\n]+\n$/mu);
    expect(ended.code).toBe(3);
    expect(attemptsOf(ended).map(({ project }) => project)).toEqual(["creamery-e2e-quick"]);
    expect(ended.leaks).toEqual([]);
    const next = await test("creamery-e2e-quick", "--json");
    expect(next.code, next.stderr).toBe(0);
    expect(readdirSync(join(disk?.outside ?? "", "partial"))).toEqual([]);
    const attempts = readdirSync(join(disk?.outside ?? "", "bucket/attempts"));
    expect(attempts).toHaveLength(3);
    // SQLite would look for the disk's path where it is not mounted.
    const copy = mkdtempSync(join(farm().room.base, "copy-"));
    copyFileSync(join(disk?.outside ?? "", "store.sqlite"), join(copy, "store.sqlite"));
    const ids = (await storedIn(copy)).map(({ attempt }) => attempt.id);
    expect(ids.toSorted()).toEqual(attempts.toSorted());
  });
});
