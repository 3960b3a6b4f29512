import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError, reasonOf } from "../base/errors.ts";

const ROOT = "/sys/fs/cgroup";
const FARM = "creamery";
const V1_CONTROLLERS = ["memory", "pids", "cpuacct"] as const;

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly pids: number;
}

export interface CgroupCounters {
  readonly memoryPeakBytes: number;
  readonly oomKills: number;
  readonly pidsRefused: number;
  readonly cpuSeconds: number;
}

/** 2 for the unified hierarchy, 1 for separate ones (also where both are mounted: the controllers are in version 1). */
export function cgroupVersion(): 1 | 2 {
  return existsSync(join(ROOT, "cgroup.controllers")) ? 2 : 1;
}

/** One guest's control group: all of its processes, the runtime's own included. */
export class GuestCgroup {
  /** As an OCI configuration names it. */
  readonly path: string;
  readonly #version = cgroupVersion();

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws CreameryError `host-lacks` where the host's control groups can't be used. */
  static create(sessionId: string, guestId: string, limits: CgroupLimits): GuestCgroup {
    const cgroup = new GuestCgroup(`/${FARM}/${sessionId}/${guestId}`);
    try {
      if (cgroup.#version === 2) {
        let parent = ROOT;
        for (const name of [FARM, sessionId, guestId]) {
          writeFileSync(join(parent, "cgroup.subtree_control"), "+memory +pids +cpu");
          parent = join(parent, name);
          mkdirSync(parent, { recursive: true });
        }
      } else {
        for (const controller of V1_CONTROLLERS)
          mkdirSync(cgroup.#directory(controller), { recursive: true });
      }
      cgroup.#write(
        "memory",
        cgroup.#version === 2 ? "memory.max" : "memory.limit_in_bytes",
        limits.memoryBytes,
      );
      cgroup.#write("pids", "pids.max", limits.pids);
    } catch (error) {
      throw new CreameryError("host-lacks", `control groups can't be used: ${reasonOf(error)}`, {
        nextStep: "see `creamery doctor`",
        cause: error,
      });
    }
    // Memory that is swapped out would not count; hosts without swap accounting have no such file.
    for (const file of ["memory.swap.max", "memory.memsw.limit_in_bytes"]) {
      const value = file === "memory.swap.max" ? 0 : limits.memoryBytes;
      if (existsSync(join(cgroup.#directory("memory"), file))) cgroup.#write("memory", file, value);
    }
    return cgroup;
  }

  /** A process that writes its id into each of these is in the group, and so is all that it starts. */
  get joinFiles(): string[] {
    const controllers = this.#version === 2 ? [""] : V1_CONTROLLERS;
    return controllers.map((controller) => join(this.#directory(controller), "cgroup.procs"));
  }

  counters(): CgroupCounters {
    const v2 = this.#version === 2;
    return {
      memoryPeakBytes: this.#number("memory", v2 ? "memory.peak" : "memory.max_usage_in_bytes"),
      oomKills: this.#field("memory", v2 ? "memory.events" : "memory.oom_control", "oom_kill"),
      pidsRefused: this.#field("pids", "pids.events", "max"),
      cpuSeconds: this.cpuSeconds(),
    };
  }

  cpuSeconds(): number {
    return this.#version === 2
      ? this.#field("cpu", "cpu.stat", "usage_usec") / 1e6
      : this.#number("cpuacct", "cpuacct.usage") / 1e9;
  }

  /** Kills what is left, and removes the group. @param deadlineMs for processes to be gone. */
  async remove(deadlineMs: number): Promise<void> {
    await removeTree(this.path, deadlineMs);
  }

  #directory(controller: string): string {
    return this.#version === 2 ? join(ROOT, this.path) : join(ROOT, controller, this.path);
  }

  #write(controller: string, file: string, value: number): void {
    writeFileSync(join(this.#directory(controller), file), String(value));
  }

  #read(controller: string, file: string): string {
    try {
      return readFileSync(join(this.#directory(controller), file), "utf8");
    } catch {
      // Kernels differ in which of these files they have.
      return "";
    }
  }

  #number(controller: string, file: string): number {
    return Number(this.#read(controller, file)) || 0;
  }

  #field(controller: string, file: string, field: string): number {
    const line = this.#read(controller, file)
      .split("\n")
      .find((candidate) => candidate.startsWith(`${field} `));
    return Number(line?.slice(field.length + 1)) || 0;
  }
}

/** Removes all groups of a session whose launcher is gone, and kills what they hold. */
export async function removeSessionCgroups(sessionId: string, deadlineMs: number): Promise<void> {
  await removeTree(`/${FARM}/${sessionId}`, deadlineMs);
}

/** Paths of all that is left of a session, for a check that nothing leaks. */
export function sessionCgroups(sessionId: string): string[] {
  return trees(`/${FARM}/${sessionId}`).flatMap((tree) => [...walkUp(tree)]);
}

/** In every hierarchy: a runtime makes the group in those too that we did not ask for. */
function trees(path: string): string[] {
  const roots = cgroupVersion() === 2 ? [ROOT] : readdirSync(ROOT).map((name) => join(ROOT, name));
  return roots.map((root) => join(root, path)).filter((tree) => existsSync(tree));
}

async function removeTree(path: string, deadlineMs: number): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let left: string[];
  let pauseMs = 1;
  do {
    left = [];
    for (const directory of trees(path).flatMap((tree) => [...walkUp(tree)])) {
      for (const pid of processesOf(directory)) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // Gone already.
        }
      }
      try {
        rmdirSync(directory);
      } catch (error) {
        if (existsSync(directory)) left.push(reasonOf(error));
      }
    }
    if (left.length === 0) return;
    await sleep(pauseMs);
    pauseMs = Math.min(50, pauseMs * 2);
  } while (performance.now() < deadline);
  throw new CreameryError("launcher", `a control group can't be removed: ${left[0] ?? path}`, {
    input: path,
  });
}

/** Deepest first. */
function* walkUp(directory: string): Generator<string> {
  let names: string[] = [];
  try {
    names = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return;
  }
  for (const name of names) yield* walkUp(join(directory, name));
  yield directory;
}

function processesOf(directory: string): number[] {
  try {
    return readFileSync(join(directory, "cgroup.procs"), "utf8")
      .split("\n")
      .map(Number)
      .filter((pid) => pid > 1);
  } catch {
    return [];
  }
}
