import { launcher } from "../launcher/client.ts";
import { directoriesFrom } from "../launcher/directories.ts";
import { findImage, machineFinding } from "./doctor/guests.ts";
import { renderFindings, type Finding } from "./doctor/finding.ts";
import {
  cgroupFinding,
  commandsFinding,
  diskFindings,
  kernelFinding,
  kvmFinding,
  memoryFinding,
  nodeFinding,
  userNamespaceFinding,
} from "./doctor/host.ts";
import { indexFinding } from "./doctor/upstream.ts";
import { interruption } from "./interruption.ts";

/**
 * `creamery doctor`: what this host has, lacks, and what to type next.
 * @returns the exit code: 0 when guests can run here, 3 when not.
 */
export async function doctorCommand(options: Readonly<Record<string, unknown>>): Promise<number> {
  const findings = await examine(interruption());
  const ok = findings.every(({ state }) => state !== "lacks");
  if (options["json"] === true) {
    process.stdout.write(`${JSON.stringify({ schema: 1, ok, findings })}\n`);
  } else {
    const colour = process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "";
    process.stdout.write(renderFindings(findings, colour));
  }
  return ok ? 0 : 3;
}

async function examine(signal: AbortSignal): Promise<Finding[]> {
  const directories = directoriesFrom(process.env);
  const index = indexFinding(signal);
  const { image, finding: imageFinding } = await findImage(directories.cache);
  const client = launcher();
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
    await index,
    kvmFinding(),
  ];
}
