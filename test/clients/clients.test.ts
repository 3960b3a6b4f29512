import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { normaliseName } from "../../src/python/names.ts";
import { HOST_PYTHON, type HostTools } from "../guest/host-tools.ts";
import { startUpstream, type RunningUpstream } from "../upstream/upstream.ts";
import { bringClient, bringFirstPip, bringOldPip, bringPip, bringUv } from "./bring-client.ts";
import { APP, EXPECTED, LIB, madeUpProjects } from "./made-up-index.ts";
import { openMirror } from "./open-mirror.ts";
import { runPython2 } from "./python2.ts";

/** Real clients, unchanged, against the mirror in front of a local upstream. With CREAMERY_TEST_FULL those too that take longer to bring. */

const FULL = (process.env["CREAMERY_TEST_FULL"] ?? "") !== "";
const WANTED = `${APP}[more]`;

let scratch = "";
let uv: HostTools | undefined;
let upstream: RunningUpstream | undefined;
let index = "";
let faults: readonly string[] = [];
const opened = new AsyncDisposableStack();

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "creamery-clients-"));
  uv = await bringUv(scratch);
  upstream = opened.use(
    await startUpstream({ files: madeUpProjects(), etag: true, maxAgeSeconds: 0 }),
  );
  const mirror = opened.use(await openMirror(join(scratch, "index"), upstream.url));
  ({ index, faults } = mirror);
});
afterAll(async () => {
  await opened.disposeAsync();
  rmSync(scratch, { recursive: true, force: true });
});

const tools = (): HostTools => {
  if (uv === undefined) throw new Error("no uv");
  return uv;
};

/** Each client is new to this index: what it has kept of others is not its own. */
function room(name: string): string {
  const directory = join(scratch, name.replaceAll(/\W+/gu, "-"));
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** `NAME VERSION` of our projects in a site-packages, or of files of theirs. */
function releasesIn(directory: string): string[] {
  return readdirSync(directory)
    .flatMap((entry) => {
      const named =
        /^(creamery[\w.-]*?)-(\d[^-]*?)(?:-py[\d.]+)?(?:\.(?:dist|egg)-info|-py2.*\.whl|\.tar\.gz)$/u;
      const [, name = "", version = ""] = named.exec(entry) ?? [];
      return name === "" ? [] : [`${normaliseName(name)} ${version}`];
    })
    .toSorted();
}

async function venv(at: string): Promise<{ readonly python: string; readonly site: () => string }> {
  const directory = join(at, "target");
  await tools().run("uv", ["venv", "--quiet", "--python", HOST_PYTHON, directory]);
  return { python: join(directory, "bin/python"), site: () => siteOf(directory) };
}

function siteOf(environment: string): string {
  const [version = ""] = readdirSync(join(environment, "lib"));
  return join(environment, "lib", version, "site-packages");
}

async function withPip(name: string, ...options: readonly string[]): Promise<string[]> {
  const at = room(name);
  const pip = await bringPip(tools());
  const target = await venv(at);
  const own = ["--isolated", "--no-cache-dir", "--disable-pip-version-check"];
  const argv = ["-m", "pip", ...own, "--python", target.python, "install", "--index-url", index];
  await tools().run(pip, [...argv, ...options, WANTED]);
  return releasesIn(target.site());
}

async function withUv(name: string): Promise<string[]> {
  const target = await venv(room(name));
  const argv = ["pip", "install", "--no-cache", "--python", target.python];
  await tools().run("uv", [...argv, "--default-index", index, WANTED]);
  return releasesIn(target.site());
}

/** A project of a person's own that needs the app, for tools that manage projects. */
function projectAt(at: string, ...more: readonly string[]): void {
  const project = [
    "[project]",
    'name = "mine"',
    'version = "1.0"',
    'requires-python = ">=3.10"',
    `dependencies = ["${WANTED}"]`,
  ];
  writeFileSync(join(at, "pyproject.toml"), [...project, ...more, ""].join("\n"));
}

describe("the mirror before clients of today", () => {
  it("pip", async () => {
    expect(await withPip("pip")).toEqual(EXPECTED);
    // Nothing was fetched of what does not fit.
    const asked = (upstream?.requests ?? []).filter((line) => line.includes("/packages/"));
    expect(asked.filter((line) => line.includes("app-1.1"))).not.toEqual([]);
    for (const version of ["1.2", "1.3", "2.0rc1"])
      expect(asked.filter((line) => line.includes(`app-${version}`))).toEqual([]);
  });

  it("uv", async () => {
    expect(await withUv("uv")).toEqual(EXPECTED);
  });

  it.runIf(FULL)("pip, of early releases too", async () => {
    expect(await withPip("pip --pre", "--pre")).toEqual([`${APP} 2.0rc1`, ...EXPECTED.slice(1)]);
  });

  it.runIf(FULL)("`pip download`", async () => {
    const at = room("pip download");
    const pip = await bringPip(tools());
    const argv = ["-m", "pip", "--isolated", "--no-cache-dir", "download", "--index-url", index];
    await tools().run(pip, [...argv, "--dest", join(at, "files"), WANTED], at);
    expect(releasesIn(join(at, "files"))).toEqual(EXPECTED);
  });

  it.runIf(FULL)("`uv sync`", async () => {
    const at = room("uv sync");
    projectAt(at, "[[tool.uv.index]]", `url = "${index}"`, "default = true");
    const { run } = tools();
    // Its configuration is the project's here.
    await run("env", ["-u", "UV_NO_CONFIG", "-u", "UV_DEFAULT_INDEX", "uv", "sync"], at);
    expect(releasesIn(siteOf(join(at, ".venv")))).toEqual(EXPECTED);
  });

  it.runIf(FULL)("poetry", async () => {
    const at = room("poetry");
    projectAt(at, "[[tool.poetry.source]]", 'name = "mirror"', `url = "${index}"`);
    const python = await bringClient(["poetry==2.5.1"], tools());
    const own = ["POETRY_VIRTUALENVS_IN_PROJECT=true", `POETRY_CACHE_DIR=${join(at, "cache")}`];
    const env = ["-u", "PYTHONPATH", `HOME=${at}`, ...own];
    const argv = [python, "-m", "poetry", "install", "--no-root", "--no-interaction"];
    await tools().run("env", [...env, ...argv], at);
    expect(releasesIn(siteOf(join(at, ".venv")))).toEqual(EXPECTED);
  });

  it.runIf(FULL)("pdm", async () => {
    const at = room("pdm");
    projectAt(at, "[[tool.pdm.source]]", 'name = "pypi"', `url = "${index}"`);
    const python = await bringClient(["pdm==2.29.4", "hishel==1.4.0"], tools());
    const env = [
      "-u",
      "PYTHONPATH",
      `HOME=${at}`,
      "PDM_CHECK_UPDATE=0",
      "PDM_IGNORE_SAVED_PYTHON=1",
    ];
    const argv = [python, "-m", "pdm", "install", "--no-self"];
    await tools().run("env", [...env, ...argv], at);
    expect(releasesIn(siteOf(join(at, ".venv")))).toEqual(EXPECTED);
  });
});

describe("the mirror before old clients, which know HTML alone", () => {
  async function withOldPip(version: string, wanted: string): Promise<string[]> {
    const work = room(`pip ${version} ${wanted}`);
    const library = await bringOldPip(version);
    const argv = ["-m", "pip", "install", "--target", "/tmp/work/target", "--index-url", index];
    await runPython2([...argv, wanted], { library, work });
    return releasesIn(join(work, "target"));
  }

  it("pip 20 on Python 2.7", async () => {
    expect(await withOldPip("20.3.4", WANTED)).toEqual(EXPECTED);
  });

  // Of releases that are yanked, or for another Python, these know nothing.
  it.each(["9.0.3", "1.5.6"])("pip %s on Python 2.7, by its version", async (version) => {
    expect(await withOldPip(version, `${WANTED}==1.1`)).toEqual(EXPECTED);
  });

  it("a name that is not normalised, as they ask for it", async () => {
    expect(await withOldPip("1.5.6", "Creamery_Client_Lib")).toEqual([`${LIB} 1.0`]);
  });

  it("the first pip, of 2008, which knows no wheels", async () => {
    const work = room("the first pip");
    const library = await bringFirstPip();
    const to = ["--build", "/tmp/build", "--install-option=--root=/tmp/work/target"];
    const argv = ["-m", "pip", "install", ...to, "--index-url", index, `${LIB}==1.0`];
    await runPython2(argv, { library, work });
    const site = join(work, "target/usr/local/lib/python2.7/dist-packages");
    expect(releasesIn(site)).toEqual([`${LIB} 1.0`]);
  });
});

it("and the mirror has no fault to tell of", () => expect(faults).toEqual([]));
