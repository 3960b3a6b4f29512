import { readdirSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { attemptsOf, useFarm } from "./local-farm.ts";
import { PASSING, unittestOf } from "./pack-projects.ts";

/** What an interruption of `./creamery test` leaves, at any moment. */

describe("an interruption", () => {
  const farm = useFarm("interrupted", [
    { name: "creamery-e2e-quick", files: PASSING },
    {
      name: "creamery-e2e-builds",
      publish: ["sdist"],
      files: { ...PASSING, "build_hook.py": "import time\ntime.sleep(300)\n" },
    },
    { name: "creamery-e2e-tests", files: { "tests/test_it.py": unittestOf("time.sleep(300)") } },
    {
      name: "creamery-e2e-confirms",
      // gVisor says that it is Linux 4.4.0, which nobody runs any more.
      files: {
        "tests/test_it.py": unittestOf(
          'self.assertFalse(os.uname()[2].startswith("4.4.0"))',
          "time.sleep(300)",
        ),
      },
    },
  ]);
  const phases = [
    ["set-up", ["creamery-e2e-builds"], /: build /u, []],
    [
      "tests",
      ["creamery-e2e-quick", "creamery-e2e-tests", "--jobs", "1"],
      /-tests.*: test /u,
      ["creamery-e2e-quick"],
    ],
    ["confirmation", ["creamery-e2e-confirms"], /: confirm [^]*: test /u, []],
  ] as const;
  it.each(
    phases.flatMap(([phase, words, said, finished]) => [
      [phase, "Ctrl-C", 130, words, said, finished] as const,
      [phase, "SIGTERM to the launcher alone", 143, words, said, finished] as const,
    ]),
  )(
    "during %s, by %s, ends in time by %i, shows what had ended and leaves nothing that runs",
    async (_phase, how, code, words, said, finished) => {
      const { room, config } = farm();
      const on = ["--on", "cpython-3.13", "--config", config];
      const command = room.start(["test", ...words, ...on, "--json"]);
      await command.said(said);
      const began = performance.now();
      if (how === "Ctrl-C") process.kill(-command.pid, "SIGINT");
      else process.kill(command.pid, "SIGTERM");
      const ended = await command.ended;
      // One that does not end by itself is ended after 10 s, and then by another code.
      expect(performance.now() - began).toBeLessThan(60_000);
      expect(ended.code, ended.stderr).toBe(code);
      expect(ended.stderr).toMatch(/^creamery: interrupted by SIG(?:INT|TERM)[^\n]*\n$/mu);
      expect(attemptsOf(ended).map(({ project }) => project)).toEqual(finished);
      expect(ended.seen).toHaveLength(1);
      expect(ended.leaks).toEqual([]);
    },
  );

  it("loses nothing that had ended, and keeps nothing by halves", async () => {
    const { room, stored } = farm();
    const ids = (await stored()).map(({ attempt }) => attempt.id);
    expect((await stored()).map(({ attempt }) => `${attempt.project} ${attempt.outcome}`)).toEqual([
      "creamery-e2e-quick pass",
      "creamery-e2e-quick pass",
    ]);
    const bucket = join(room.dataDirectory, "bucket");
    expect(readdirSync(join(bucket, "attempts")).toSorted()).toEqual(ids.toSorted());
    expect(readdirSync(join(bucket, ".new"))).toEqual([]);
  });

  it("leaves no log of what did not end, and no session", () => {
    const { room } = farm();
    expect(readdirSync(join(room.dataDirectory, "partial"))).toEqual([]);
    expect(room.sessions()).toEqual([]);
  });

  it("that kills the launcher leaves files alone, and the next command removes them", async () => {
    const { room, config, test, stored } = farm();
    const partial = join(room.dataDirectory, "partial");
    const on = ["--on", "cpython-3.13", "--config", config];
    const command = room.start(["test", "creamery-e2e-tests", ...on]);
    await command.said(/: test /u);
    process.kill(command.pid, "SIGKILL");
    const killed = await command.ended;
    expect(killed.seen).toHaveLength(1);
    // The checkers see what there is.
    expect(killed.leaks).toContainEqual(expect.stringMatching(/^file /u));
    expect(readdirSync(partial)).toHaveLength(1);
    expect(killed.leaks.filter((leak) => !/^(?:file|cgroup) /u.test(leak))).toEqual([]);

    const next = await test(["creamery-e2e-quick"]);
    expect(next.code, next.stderr).toBe(0);
    expect(await room.leftovers([...killed.seen, ...next.seen])).toEqual([]);
    expect(readdirSync(partial)).toEqual([]);
    expect(await stored()).toHaveLength(3);
  });
});
