import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { askersEnvironment } from "./askers-environment.ts";
import type { ImageDefinition } from "./definition.ts";
import type { LockedTool } from "./lock/image-lock.ts";
import type { KeptFile } from "./lock/kept-files.ts";
import { unnamed, type SourceFiles } from "./lock/source-files.ts";
import { runContained, runInRoot } from "./run-contained.ts";

const FETCH_MS = 15 * 60_000;
const UNPACK_MS = 120_000;
const WHEELS = "/opt/creamery/wheels";

// uv is a program; the rest are libraries, side by side, for the script that runs virtualenv.
const UNPACK = `
import glob, os, sys, zipfile
for wheel in sorted(glob.glob(sys.argv[1] + "/*.whl")):
    archive = zipfile.ZipFile(wheel)
    name = os.path.basename(wheel).split("-")[0]
    program = [entry for entry in archive.namelist() if entry.endswith(".data/scripts/" + name)]
    if name == "uv":
        with open("/usr/local/bin/uv", "wb") as stream:
            stream.write(archive.read(program[0]))
        os.chmod("/usr/local/bin/uv", 0o755)
    else:
        archive.extractall("/usr/local/lib/creamery")
`;

export interface ToolsRequest {
  readonly definition: ImageDefinition;
  readonly rootfs: string;
  readonly scratch: string;
  /** The host's environment: where pip finds its configuration. */
  readonly env: NodeJS.ProcessEnv;
  /** The wheels come from among them, or go there. */
  readonly files: SourceFiles;
  readonly signal: AbortSignal;
}

/**
 * Brings the definition's tools, by version and hash, from the index of the host's own pip or as a lock has them, and unpacks
 * them inside the root file system by its own Python.
 * @returns each one's wheel.
 * @throws CreameryError `host-lacks`, `no-network`, `upstream-hash`, `image-build`.
 */
export async function bringTools(request: ToolsRequest): Promise<LockedTool[]> {
  const { definition, files } = request;
  const wheels = files.locked?.tools ?? (await fetchWheels(request));
  const tools = definition.tools.map((tool) => {
    const { name, version, sha256 } = tool;
    const wheel = wheels.find((one) => sha256.includes(one.sha256));
    if (wheel === undefined) throw unnamed(`a wheel of ${name} ${version}`);
    return { name, version, sha256: wheel.sha256, sizeBytes: wheel.sizeBytes };
  });
  await unpackWheels(tools, request);
  return tools;
}

async function fetchWheels({
  definition,
  scratch,
  env,
  files,
  signal,
}: ToolsRequest): Promise<KeptFile[]> {
  const requirements = join(scratch, "tools.txt");
  const wheels = join(scratch, "wheels");
  await mkdir(wheels, { recursive: true });
  await writeFile(
    requirements,
    definition.tools
      .map(
        (tool) =>
          `${tool.name}==${tool.version} ${tool.sha256.map((sha256) => `--hash=sha256:${sha256}`).join(" ")}\n`,
      )
      .join(""),
  );
  const inherited = askersEnvironment(env);
  const { code, tail } = await runContained({
    argv: [
      await pythonWithPip(inherited, signal),
      "-m",
      "pip",
      "--no-input",
      "--disable-pip-version-check",
      "download",
      "--no-cache-dir",
      "--no-deps",
      "--only-binary",
      ":all:",
      "--require-hashes",
      "--progress-bar",
      "off",
      "-r",
      requirements,
      "-d",
      wheels,
    ],
    env: inherited,
    network: true,
    deadlineMs: FETCH_MS,
    signal,
  });
  if (code !== 0) throw pipFault(tail);
  const fetched: KeptFile[] = [];
  for (const name of await readdir(wheels)) fetched.push(await files.add(join(wheels, name)));
  return fetched;
}

async function unpackWheels(
  tools: readonly LockedTool[],
  { rootfs, files, signal }: ToolsRequest,
): Promise<void> {
  const inside = join(rootfs, WHEELS);
  await mkdir(inside, { recursive: true });
  for (const { name, version, sha256 } of tools)
    await copyFile(files.path(sha256), join(inside, `${name}-${version}.whl`));
  const unpacked = await runInRoot({
    rootfs,
    argv: ["/usr/bin/python3.13", "-I", "-S", "-B", "-c", UNPACK, WHEELS],
    owner: "0:0",
    deadlineMs: UNPACK_MS,
    signal,
  });
  if (unpacked.code !== 0)
    throw new CreameryError(
      "image-build",
      `the tools could not be unpacked: ${printableLine(unpacked.tail.at(-1) ?? "")}`,
    );
  await rm(inside, { recursive: true });
}

/** The first Python that has pip: the one a person would use here, else Debian's own. */
async function pythonWithPip(
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  for (const python of ["python3", "/usr/bin/python3"]) {
    const { code } = await runContained({
      argv: [python, "-m", "pip", "--version"],
      env,
      network: false,
      deadlineMs: 30_000,
      signal,
    });
    if (code === 0) return python;
  }
  throw new CreameryError("host-lacks", "no Python with pip was found", {
    nextStep: "install python3-pip",
  });
}

/** What pip said last, as one fault; an index's address may hold a password and is not repeated. */
export function pipFault(tail: readonly string[]): CreameryError {
  const text = tail.join("\n");
  const said = clip(
    printableLine(
      tail.findLast((line) => line.startsWith("ERROR:")) ?? tail.at(-1) ?? "",
    ).replaceAll(/\/\/[^/@\s]*@/gu, "//***@"),
    300,
  );
  if (/DO NOT MATCH THE HASHES|HashMismatch/u.test(text)) {
    return new CreameryError(
      "upstream-hash",
      `a tool from the index is not the one that the definition pins: ${said}`,
      { nextStep: "check which index the host's pip is configured for" },
    );
  }
  if (
    /NewConnectionError|Failed to establish|Name or service not known|Temporary failure in name|Network is unreachable|Max retries/u.test(
      text,
    )
  ) {
    return new CreameryError("no-network", `the package index can't be reached: ${said}`, {
      nextStep: "check the network and `pip config list`, then run the same command again",
    });
  }
  if (/No space left on device/u.test(text))
    return new CreameryError("disk-full", "the disk filled up while tools were fetched", {
      nextStep: "free some space, then run the same command again",
    });
  return new CreameryError("image-build", `pip could not fetch the tools: ${said}`, {
    nextStep: "run the same command again",
  });
}
