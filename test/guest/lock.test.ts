import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";

import { parsePylock, type Pylock } from "../../src/index/lock/pylock.ts";
import type { AttemptJson } from "../../src/model/result-json.ts";
import { bringTools, HOST_PYTHON, PACKAGING, UV, type HostTools } from "./host-tools.ts";
import { wrongHashIn } from "./kept-files.ts";
import { attemptOf } from "./local-farm.ts";
import { CommandRoom, type Ended } from "./run-command.ts";

/** The locks of a real attempt, of a release of this host's index, on a maintainer's machine that has no Creamery. */

/** Built with flit_core; its tests need pytest. Of tomorrow's release nobody knows. */
const PROJECT = "idna";
const RELEASE = `${PROJECT}==3.20`;
const VALIDATE = `
import json, sys, tomllib
from packaging.pylock import Pylock, is_valid_pylock_path
from pathlib import Path
said = {}
for path in map(Path, sys.argv[1:]):
    lock = Pylock.from_dict(tomllib.loads(path.read_text()))
    lock.validate()
    selected = [[package.name, type(file).__name__] for package, file in lock.select()]
    said[path.name] = {"valid": is_valid_pylock_path(path), "selected": selected}
json.dump(said, sys.stdout)
`;
const Said = z.record(
  z.string(),
  z.object({ valid: z.boolean(), selected: z.array(z.tuple([z.string(), z.string()])) }),
);

describe("the locks of a real attempt", () => {
  const room = new CommandRoom("lock");
  let tools: HostTools | undefined;
  let attempt: AttemptJson | undefined;
  let ended: Ended | undefined;
  const texts = new Map<string, string>();
  const own = () => {
    if (tools === undefined || attempt === undefined) throw new Error("nothing was run");
    return { tools, attempt };
  };
  const lock = (name: string): Pylock => parsePylock(texts.get(name) ?? "");
  const path = (name: string) => join(room.base, name);
  const releases = ({ packages }: Pylock) =>
    packages.map(({ name, version = "" }) => `${name}==${version}`).toSorted();

  beforeAll(async () => {
    tools = await bringTools(room.base, [PACKAGING, UV]);
    const version = await tools.run(HOST_PYTHON, [
      "-c",
      "import sys; print('%d.%d' % sys.version_info[:2])",
    ]);
    const config = room.writeConfig("creamery.toml", {});
    const words = ["--config", config, "--on", `cpython-${version.trim()}`, "--from", "sdist"];
    ended = await room.run(["test", ...words, RELEASE, "--json"]);
    attempt = attemptOf(ended, PROJECT);
    for (const name of ["pylock.toml", "pylock.build.toml"]) {
      const shown = await room.run(["log", attempt.id, name, "--config", config]);
      texts.set(name, shown.stdout);
      writeFileSync(path(name), shown.stdout);
    }
  });
  afterAll(() => room[Symbol.asyncDispose]());

  /** What uv makes of a lock in an environment that is fresh. */
  async function synced(name: string): Promise<string[]> {
    const { run } = own().tools;
    const venv = path(`venv-${name}`);
    const python = join(venv, "bin/python");
    await run("uv", ["venv", "--quiet", "--python", HOST_PYTHON, venv]);
    mkdirSync(path("elsewhere"), { recursive: true });
    const argv = ["pip", "sync", "--quiet", "--preview", "--python", python, path(name)];
    await run("uv", argv, path("elsewhere"));
    const frozen = await run("uv", ["pip", "freeze", "--python", python]);
    return frozen.trim().split("\n").toSorted();
  }

  it("are of a pass, and name all that was installed", () => {
    expect(own().attempt, ended?.stderr).toMatchObject({ outcome: "pass", installed: "sdist" });
    expect(lock("pylock.toml")["tool"]).toMatchObject({
      creamery: { "build-lock": "pylock.build.toml", unlocated: [] },
    });
    expect(lock("pylock.build.toml")["tool"]).toMatchObject({
      creamery: { "run-time-lock": "pylock.toml" },
    });
  });

  it("are valid by the standard's own library, the release from its sdist and all else from wheels", async () => {
    const names = [...texts.keys()];
    const said = Said.parse(
      JSON.parse(await own().tools.run(HOST_PYTHON, ["-c", VALIDATE, ...names.map(path)])),
    );
    expect(Object.values(said).map(({ valid }) => valid)).toEqual([true, true]);
    const selected = said["pylock.toml"]?.selected ?? [];
    expect(selected.length).toBeGreaterThan(3);
    for (const [name, kind] of selected)
      expect([name, kind]).toEqual([name, name === PROJECT ? "PackageSdist" : "PackageWheel"]);
    expect(said["pylock.build.toml"]?.selected.map(([name]) => name)).toContain("flit-core");
  });

  it.each(["pylock.toml", "pylock.build.toml"])(
    "are what `uv pip sync %s` installs, no more and no less",
    async (name) => {
      expect(await synced(name)).toEqual(releases(lock(name)));
    },
  );

  it("are held to their hashes", async () => {
    const text = texts.get("pylock.build.toml") ?? "";
    writeFileSync(path("pylock.wrong.toml"), wrongHashIn(text));
    await expect(synced("pylock.wrong.toml")).rejects.toThrow(/hash/iu);
  });
});
