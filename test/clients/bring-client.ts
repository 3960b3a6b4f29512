import { execFile } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { openIndexService } from "../../src/index/index-service.ts";
import { findUpstreams } from "../../src/index/upstream/upstreams.ts";
import { directoriesFrom } from "../../src/launcher/directories.ts";
import { bringTools, HOST_PYTHON, UV, type HostTools } from "../guest/host-tools.ts";

const run = promisify(execFile);

/** Kept for later runs: clients are large. */
const DIRECTORY = join(directoriesFrom(process.env).cache, "test-clients");

/** A place that `fill` has filled, whole or not at all: what an ended run began is begun anew. */
async function filled(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const directory = join(DIRECTORY, name);
  const whole = join(directory, ".whole");
  if (existsSync(whole)) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await fill(directory);
  writeFileSync(whole, "");
  return directory;
}

/** uv, which makes environments too, where the host's Python has no venv. */
export async function bringUv(scratch: string): Promise<HostTools> {
  return await bringTools(scratch, [UV]);
}

/** @returns the Python of an environment that has this client. @param requirements `poetry==2.5.1`, and what it does not pin and should. */
export async function bringClient(requirements: readonly string[], uv: HostTools): Promise<string> {
  const directory = await filled(requirements.join("+").replaceAll("==", "-"), async (at) => {
    const venv = join(at, "venv");
    await uv.run("uv", ["venv", "--quiet", "--python", HOST_PYTHON, venv]);
    const python = join(venv, "bin/python");
    await uv.run("uv", ["pip", "install", "--quiet", "--python", python, ...requirements]);
  });
  return join(directory, "venv/bin/python");
}

/** Of today. @returns the Python of an environment that has it. */
export async function bringPip(uv: HostTools): Promise<string> {
  return await bringClient(["pip==26.3"], uv);
}

/** The first pip that there is, of 2008: nothing of today can install it, so it is only unpacked. */
export const FIRST_PIP = "0.2.1";
const FIRST_PIP_SHA256 = "83522005c1266cc2de97e65072ff7554ac0f30ad369c3b02ff3a764b962048da";

/** The same with the first pip. */
export async function bringFirstPip(): Promise<string> {
  return await filled(`python2-pip-${FIRST_PIP}`, async (at) => {
    const signal = AbortSignal.timeout(120_000);
    const upstreams = await findUpstreams({ signal, env: process.env, cratesIndex: null });
    await using index = await openIndexService({ directory: join(at, "index"), upstreams });
    const page = await index.project("pip", signal);
    const file = page?.files.find(({ filename }) => filename === `pip-${FIRST_PIP}.tar.gz`);
    if (page === null || file === undefined) throw new Error("the index has no first pip");
    const { path, sha256 } = await index.fetchFile(page, file, signal);
    if (sha256 !== FIRST_PIP_SHA256) throw new Error(`the first pip is another: ${sha256}`);
    await run("tar", ["xzf", path, "-C", at, "--strip-components=1"]);
    const target = ["--target", at, "--python-version", "2.7", "--no-deps"];
    const pip = ["-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--quiet"];
    await run(HOST_PYTHON, [...pip, ...target, "--only-binary", ":all:", "setuptools==44.1.1"]);
    rmSync(join(at, "index"), { recursive: true });
  });
}

/** @returns a directory for the PYTHONPATH of a Python 2.7, with a pip, and what it builds with. */
export async function bringOldPip(version: string): Promise<string> {
  return await filled(`python2-pip-${version}`, async (at) => {
    const target = ["--target", at, "--python-version", "2.7", "--implementation", "py"];
    const wheels = ["--platform", "any", "--abi", "none", "--only-binary", ":all:", "--no-deps"];
    const named = [`pip==${version}`, "setuptools==44.1.1", "wheel==0.37.1"];
    const pip = ["-m", "pip", "--no-input", "--disable-pip-version-check", "install", "--quiet"];
    await run(HOST_PYTHON, [...pip, ...target, ...wheels, ...named]);
  });
}
