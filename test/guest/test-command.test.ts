import { execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, join, relative } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { AttemptJson } from "../../src/model/result-json.ts";
import { unprintable } from "../mini-farm/expectations.ts";
import { startForge, type Forge } from "../upstream/forge.ts";
import type { Fault } from "../upstream/upstream.ts";
import { filesWith, processesWith } from "./files-with.ts";
import { INDEX_DIRECTORY, keptOf, sha256Of } from "./kept-files.ts";
import {
  attemptOf,
  attemptsOf,
  storedIn,
  upstreamsOf,
  useFarm,
  wrongInRefusal,
} from "./local-farm.ts";
import { unittestOf } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";
import { openSlowDoor } from "./slow-door.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";
import { ON_A_TERMINAL, trusting } from "./ways-to-start.ts";

/**
 * `./creamery test` and `./creamery reproduce` as a person types them: what they do with secrets, with an index that fails,
 * with Ctrl-C, with a full disk. Projects are tested by unittest alone, so that no other index than the local one is asked.
 */

const PASSING = { "tests/test_it.py": unittestOf("self.assertTrue(True)") };
const FAILING = { "tests/test_it.py": unittestOf("self.assertTrue(False)") };
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
      expect.arrayContaining(["log.txt", "report.json.gz", "store.sqlite"]),
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

async function freePort(): Promise<number> {
  await using server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

describe("attempts side by side", () => {
  const farm = useFarm("side-by-side", [{ name: "creamery-e2e-alone", publish: ["wheel"] }]);

  it("have one download of the wheel that both ask for", async () => {
    const { configure, upstream, test } = farm();
    const wheel = "/packages/creamery_e2e_alone-1.0-py2.py3-none-any.whl";
    await using door = await openSlowDoor(upstream.origin, wheel, 3000);
    const config = configure("door.toml", { upstreams: upstreamsOf(`${door.origin}/simple/`) });
    const on = ["--on", "cpython-3.13,cpython-3.11", "--jobs", "2"];
    const ended = await test(["creamery-e2e-alone", "--config", config, "--json", ...on]);
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

describe("trees, archives and repositories", () => {
  const name = "creamery-e2e-local";
  const farm = useFarm(
    "sources",
    [{ name, requires: ["creamery-e2e-needed"], files: PASSING }, { name: "creamery-e2e-needed" }],
    { config: { addresses: { allow: ["127.0.0.1"] } } },
  );
  let forge: Forge | undefined;
  let ended: Ended | undefined;
  let attempts: ReadonlyMap<string, AttemptJson> = new Map();

  beforeAll(async () => {
    const { room, upstream, test } = farm();
    const work = join(room.base, "work");
    mkdirSync(join(work, "dist"), { recursive: true });
    for (const { filename, content, project } of upstream.files)
      if (project === name) writeFileSync(join(work, "dist", filename), content);
    const sdist = "dist/creamery_e2e_local-1.0.tar.gz";
    const tree = join(work, "my-tree");
    mkdirSync(tree);
    execFileSync("tar", ["xzf", join(work, sdist), "-C", tree, "--strip-components=1"]);
    forge = await startForge({ repository: "repo.git", files: filesOf(tree), tag: "v1.0" });
    ended = await test(
      [
        "./my-tree",
        sdist,
        "dist/creamery_e2e_local-1.0-py2.py3-none-any.whl",
        `git+${forge.origin}/repo.git@v1.0`,
        "--json",
      ],
      { cwd: work, through: trusting(forge.caFile, room.base) },
    );
    rmSync(work, { recursive: true });
    attempts = new Map(attemptsOf(ended).map((attempt) => [attempt.source.kind, attempt]));
  });
  afterAll(async () => forge?.[Symbol.asyncDispose]());

  it.each([
    ["a tree", "tree", "sdist", "pass"],
    ["an sdist", "sdist", "sdist", "pass"],
    ["a wheel, as far as it holds tests,", "wheel", "wheel", "skip"],
    ["a repository", "repository", "sdist", "pass"],
  ])("%s is tested", (_what, kind, installed, outcome) => {
    expect(attempts.get(kind), ended?.stderr).toMatchObject({
      project: name,
      version: "1.0",
      source: { kind },
      installed,
      outcome,
      smoke: "pass",
    });
  });

  it("is sound altogether", () => expect(ended?.code).toBe(0));

  it("a tree that is gone is reproduced all the same", async () => {
    const { upstream, reproduce } = farm();
    const before = attempts.get("tree");
    const asked = upstream.requests.length;
    const again = await reproduce([before?.id ?? "", "--json"]);
    expect(attemptOf(again, name)).toMatchObject({
      source: before?.source,
      outcome: "pass",
      axes: { lock: before?.axes.lock, source: before?.axes.source },
    });
    expect(upstream.requests.slice(asked)).toEqual([]);
  });

  it("a repository is believed by an authority that the configuration names", async () => {
    const { room, configure, test, upstream } = farm();
    const target = `git+${forge?.origin}/repo.git@v1.0`;
    const addresses = { allow: ["127.0.0.1"] };
    const unknown = configure("unknown.toml", { addresses });
    const refused = await test([target, "--config", unknown]);
    expect(wrongInRefusal(refused, 3, target, "certificate")).toEqual([]);
    const cert = join(room.base, "own.pem");
    copyFileSync(forge?.caFile ?? "", cert);
    chmodSync(cert, 0o644);
    const config = configure("own.toml", {
      addresses,
      upstreams: { ...upstreamsOf(upstream.url), cert },
    });
    const believed = await test([target, "--config", config, "--json"]);
    expect(attemptOf(believed, name)).toMatchObject({ outcome: "pass" });
  });

  it("a repository at a private address is refused unless it is allowed", async () => {
    const { room, configure, test } = farm();
    const config = configure("strict.toml", {});
    const target = `git+${forge?.origin}/repo.git@v1.0`;
    const refused = await test([target, "--config", config], {
      through: trusting(forge?.caFile ?? "", room.base),
    });
    expect(wrongInRefusal(refused, 2, "127.0.0.1", "no address of the public internet")).toEqual(
      [],
    );
  });
});

function filesOf(directory: string): Record<string, Buffer> {
  return Object.fromEntries(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((path) => [relative(directory, path), readFileSync(path)]),
  );
}

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
      expect(performance.now() - began).toBeLessThan(12_000);
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

describe("isolation and the kind of build", () => {
  const farm = useFarm("isolation", [
    { name: "creamery-e2e-quick", files: PASSING },
    { name: "creamery-e2e-fails", files: FAILING },
  ]);

  it("builds by --from sdist though a wheel fits, in the machine that was asked for", async () => {
    const words = ["creamery-e2e-quick", "--from", "sdist", "--machine", "container", "--json"];
    const attempt = attemptOf(await farm().test(words), "creamery-e2e-quick");
    expect(attempt).toMatchObject({ installed: "sdist", machine: "container", outcome: "pass" });
  });

  it.each([
    ["minimum = gvisor", { minimum: "gvisor" }],
    ["confirm = false", { confirm: false }],
  ])("leaves a failure unconfirmed by %s", async (name, isolation) => {
    const { configure, test, stored } = farm();
    const before = (await stored()).length;
    const config = configure(`${name}.toml`, { isolation });
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
