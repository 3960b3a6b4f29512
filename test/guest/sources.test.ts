import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { parsePylock } from "../../src/index/lock/pylock.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";
import { startForge, type Forge } from "../upstream/forge.ts";
import { attemptOf, attemptsOf, useFarm, wrongInRefusal } from "./local-farm.ts";
import { upstreamsOf } from "./upstreams-of.ts";
import { PASSING } from "./pack-projects.ts";
import type { Ended } from "./run-command.ts";
import { trusting } from "./ways-to-start.ts";

/** `./creamery test` of what is no release: trees, archives, repositories. */

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

  it("their locks say where that is from, as far as others can have it", () => {
    const own = Object.fromEntries(
      [...attempts].map(([kind, { evidence }]) => {
        const { tool, packages } = parsePylock(readFileSync(evidence.lock ?? "", "utf8"));
        return [kind, { tool, package: packages.find((one) => one.name === name) ?? null }];
      }),
    );
    const known = { creamery: { unlocated: [] } };
    expect(own).toMatchObject({
      tree: { tool: { creamery: { unlocated: [`${name}==1.0`] } }, package: null },
      sdist: { tool: known, package: { archive: { path: "creamery_e2e_local-1.0.tar.gz" } } },
      wheel: {
        tool: known,
        package: { archive: { path: "creamery_e2e_local-1.0-py2.py3-none-any.whl" } },
      },
      repository: {
        tool: known,
        package: {
          vcs: {
            url: `${forge?.origin}/repo.git`,
            "requested-revision": "v1.0",
            "commit-id": forge?.commit,
          },
        },
      },
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
