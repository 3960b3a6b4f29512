import { join } from "node:path";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { findImage, machineFinding } from "./doctor/guests.ts";
import { virtualMachineFindings } from "./doctor/virtual-machines.ts";
import { renderFindings, type Finding } from "./doctor/finding.ts";
import {
  cgroupFinding,
  commandsFinding,
  diskFindings,
  kernelFinding,
  memoryFinding,
  nodeFinding,
  userNamespaceFinding,
} from "./doctor/host.ts";
import { upstreamFindings } from "./doctor/upstream.ts";
import { askerCwd } from "./farm/asker-cwd.ts";
import { readConfig } from "./farm/read-config.ts";
import { interruption } from "./interruption.ts";
import { showsColour } from "./shows-colour.ts";

const Options = z.object({ config: z.string().optional(), json: z.boolean().default(false) });

/**
 * `creamery doctor`: what this host has, lacks, and what to type next.
 * @returns the exit code: 0 when guests can run here, 3 when not.
 */
export async function doctorCommand(given: unknown): Promise<number> {
  const options = Options.parse(given ?? {});
  const findings = await examine(options.config, interruption());
  const ok = findings.every(({ state }) => state !== "lacks");
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ schema: 1, ok, findings })}\n`);
  } else {
    process.stdout.write(renderFindings(findings, showsColour(process.stdout, process.env)));
  }
  return ok ? 0 : 3;
}

async function examine(config: string | undefined, signal: AbortSignal): Promise<Finding[]> {
  const directories = directoriesFrom(process.env);
  const client = launcher();
  const { image, finding: imageFinding } = await findImage(directories.cache);
  const upstreams = examineUpstreams(
    config,
    join(directories.cache, "index"),
    image?.id ?? null,
    signal,
  );
  upstreams.catch(() => undefined);
  const machines = [
    await machineFinding("gvisor", image, client, signal),
    await machineFinding("container", image, client, signal),
  ];
  return [
    kernelFinding(),
    nodeFinding(process.versions.node, process.execPath),
    commandsFinding(process.env["PATH"] ?? ""),
    cgroupFinding("/sys/fs/cgroup"),
    userNamespaceFinding(),
    memoryFinding(),
    ...diskFindings(directories, image !== null),
    imageFinding,
    ...machines,
    ...(await upstreams),
    ...(await virtualMachineFindings(directories, image, client)),
  ];
}

/** With the configuration's own, whose faults are told here rather than by the first test. */
async function examineUpstreams(
  file: string | undefined,
  directory: string,
  imageId: string | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { env } = process;
  try {
    const { config } = await readConfig(file, askerCwd(env), launcher(), env);
    const { upstreams: settings, allowedAddresses: allow } = config;
    return await upstreamFindings({ settings, allow, env, directory, imageId, signal });
  } catch (thrown) {
    if (!(thrown instanceof CreameryError) || thrown.code !== "configuration-file") throw thrown;
    const { message: detail, nextStep = "see docs/configuration.md" } = thrown;
    return [{ name: thrown.input ?? "creamery.toml", state: "lacks", detail, nextStep }];
  }
}
