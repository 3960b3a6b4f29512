import { readFileSync } from "node:fs";
import { basename, join } from "node:path";

import { beforeAll, describe, expect, it } from "vitest";

import { filesWith, processesWith } from "./files-with.ts";
import { INDEX_DIRECTORY } from "./kept-files.ts";
import { attemptOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { upstreamsOf } from "./upstreams-of.ts";
import type { Ended } from "./run-command.ts";

/** How `./creamery test` keeps the secrets of the host's upstreams. */

const SNOOPING_TEST = readFileSync(join(import.meta.dirname, "fixtures/snoop.py"), "utf8");
const CANARY = "CANARY-OF-THE-TREE";

describe("credentials of the upstream", () => {
  const login = { user: "planted-user", password: "PLANTED-SECRET-f81d4fae" };
  const secret = [
    login.password,
    Buffer.from(`${login.user}:${login.password}`).toString("base64"),
  ];
  const farm = useFarm(
    "secrets",
    [
      {
        name: "creamery-e2e-snoops",
        files: { "tests/test_it.py": SNOOPING_TEST, "canary.txt": `${CANARY}\n` },
      },
      { name: "creamery-e2e-wants", requires: ["creamery-e2e-broken"] },
      { name: "creamery-e2e-broken" },
      { name: "creamery-e2e-refused" },
    ],
    { upstream: { login, faults: [{ on: "/simple/creamery-e2e-broken/", kind: "status" }] } },
  );
  const beganMs = Date.now();
  const whileRunning = new Set<string>();
  let guestsWereSeen = false;
  let ended: Ended | undefined;

  beforeAll(async () => {
    const { room, test } = farm();
    const words = ["creamery-e2e-snoops", "creamery-e2e-wants", "--json", "--log"];
    ended = await test([...words, "--junit", join(room.base, "junit.xml")], {
      whileRunning: () => {
        if (filesWith(["ociVersion"], room.runDirectory).length > 0) guestsWereSeen = true;
        for (const path of filesWith(secret, room.runDirectory)) whileRunning.add(path);
        for (const path of processesWith(secret)) whileRunning.add(path);
      },
    });
  });

  it("are used: the upstream gives nothing without them", () => {
    const attempt = attemptOf(ended, "creamery-e2e-snoops");
    expect(attempt.evidence.failing.map(({ message }) => message).join()).toContain(CANARY);
    expect(attempt).toMatchObject({ installed: "wheel", confidence: "confirmed(2/2)" });
    expect(attemptOf(ended, "creamery-e2e-wants")).toMatchObject({ cause: "index-mirror" });
  });

  it("are in nothing that was printed", () => {
    // What the package found is there: the log shows all that it could read. Too long to be shown by a failure.
    const printed = `${ended?.stdout}${ended?.stderr}`;
    const found = [CANARY, "UV_DEFAULT_INDEX=http", "/etc/passwd", "/proc/1/environ"];
    expect(found.filter((text) => !printed.includes(text))).toEqual([]);
    expect(secret.filter((text) => printed.includes(text))).toEqual([]);
  });

  it("are in no file that stays", () => {
    const { room, config } = farm();
    expect(filesWith([CANARY], room.dataDirectory).map((path) => basename(path))).toEqual(
      expect.arrayContaining(["log.txt.gz", "report.json.gz", "store.sqlite"]),
    );
    expect(filesWith(secret, room.base)).toEqual([config]);
    expect(filesWith(["creamery-e2e-snoops"], INDEX_DIRECTORY, beganMs)).not.toEqual([]);
    expect(filesWith(secret, INDEX_DIRECTORY, beganMs)).toEqual([]);
  });

  it("are in no bundle, socket or process of the session while it runs", () => {
    expect(guestsWereSeen).toBe(true);
    expect([...whileRunning]).toEqual([]);
  });

  it.each([
    ["wrong ones, answered by 401", "creamery-e2e-refused", "WRONG-SECRET", "refuses with 401"],
    ["right ones, answered by 500", "creamery-e2e-broken", login.password, "answers 500"],
  ])("are in no message: %s", async (_how, project, password, reason) => {
    const { configure, upstream, test } = farm();
    const index = upstream.url.replace("://", `://${login.user}:${password}@`);
    const config = configure("other.toml", { upstreams: upstreamsOf(index) });
    const refused = await test([project, "--config", config]);
    expect(wrongInRefusal(refused, 3, `${upstream.url}${project}/`, reason)).toEqual([]);
    expect(refused.stderr).not.toContain(password);
  });
});
