import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch } from "node:os";
import { promisify } from "node:util";

import { CreameryError } from "../../base/errors.ts";

const run = promisify(execFile);
const PROGRAM = "/usr/bin/qemu-system-x86_64";
const ASK_MS = 10_000;
/** Older ones lack what a template needs, or were never tried. */
const OLDEST = { major: 7, minor: 2 };

/** The QEMU of this host. It is run with a root of its own that has the host's /usr, so it must lie there. */
export interface QemuProgram {
  readonly path: string;
  /** `7.2.22`, and what the distribution adds: any other build makes another snapshot. */
  readonly full: string;
  readonly major: number;
  readonly minor: number;
}

/** @throws CreameryError `host-lacks`. */
export async function findQemu(env: NodeJS.ProcessEnv): Promise<QemuProgram> {
  if (arch() !== "x64")
    throw new CreameryError("host-lacks", "the machine kind qemu runs on x86-64 hosts only", {
      nextStep: "use --machine gvisor or --machine container",
    });
  const path = qemuPath(env);
  if (!path.startsWith("/usr/"))
    throw new CreameryError("host-lacks", "QEMU must lie below /usr", {
      input: `CREAMERY_QEMU=${path}`,
    });
  let said: string;
  try {
    said = (await run(path, ["--version"], { timeout: ASK_MS })).stdout;
  } catch (cause) {
    throw new CreameryError("host-lacks", "qemu needs qemu-system-x86_64, which does not start", {
      nextStep: "apt-get install qemu-system-x86",
      cause,
    });
  }
  return qemuOf(path, said);
}

/** Where it is to be: as the environment names it, else where Debian has it. */
export function qemuPath(env: NodeJS.ProcessEnv): string {
  return env["CREAMERY_QEMU"] ?? PROGRAM;
}

/** @param said what `--version` prints. @throws CreameryError `host-lacks` for what is older than 7.2. */
export function qemuOf(path: string, said: string): QemuProgram {
  const line = said.split("\n")[0] ?? "";
  const [, full = "", majorText = "", minorText = ""] =
    /version ((\d+)\.(\d+)\S*(?: \([^)]*\))?)/u.exec(line) ?? [];
  const [major, minor] = [Number(majorText), Number(minorText)];
  if (full === "" || major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor))
    throw new CreameryError("host-lacks", "QEMU 7.2 or newer is needed", {
      input: line.slice(0, 100),
      nextStep: "Debian 12 and 13 have one that will do: apt-get install qemu-system-x86",
    });
  return { path, full, major, minor };
}

/** What a guest of KVM sees of the host's processor: another one can't go on with its state. */
export function hostProcessor(cpuinfo: string = readFileSync("/proc/cpuinfo", "utf8")): string {
  const first = cpuinfo.split("\n\n")[0] ?? "";
  const fields = first
    .split("\n")
    .filter((line) =>
      /^(?:vendor_id|cpu family|model|model name|stepping|microcode|flags)\s*:/u.test(line),
    );
  return createHash("sha256").update(fields.join("\n")).digest("hex").slice(0, 16);
}
