import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { AGENT } from "../src/launcher/oci/bundle.ts";

/** A process of the host, as proc(5) shows it. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/** All that a process has started, and what that has started, the nearest first; none where it is gone. */
export function processesBelow(root: number): readonly SeenProcess[] {
  const byParent = Map.groupBy(allProcesses(), ({ parent }) => parent);
  const below: SeenProcess[] = [];
  for (const next = [root]; next.length > 0;) {
    const children = byParent.get(next.shift() ?? -1) ?? [];
    below.push(...children);
    next.push(...children.map(({ pid }) => pid));
  }
  return below;
}

/** The unprivileged process that a launcher started. */
export function isCommandLine({ words }: SeenProcess): boolean {
  return words[0] !== "setpriv" && words.some((word) => word.endsWith("src/cli/main.ts"));
}

/** A guest's runtime: of gVisor also the sandbox and its file server. */
export function isRuntime({ words }: SeenProcess): boolean {
  return /^(?:runsc|runc)/u.test(basename(words[0] ?? ""));
}

/** The agent of a container, and no other tool of the farm's that lies beside it; in gVisor it is no process of the host's. */
function isAgent({ words }: SeenProcess): boolean {
  return isDeepStrictEqual(words, [...AGENT]);
}

/**
 * The agents among processes, without what they have forked: that is a process of the package's which has not begun its program yet, and
 * whoever ends it ends no agent.
 */
export function agentsAmong(processes: readonly SeenProcess[]): readonly SeenProcess[] {
  const agents = processes.filter(isAgent);
  const pids = new Set(agents.map(({ pid }) => pid));
  return agents.filter(({ parent }) => !pids.has(parent));
}

function allProcesses(): readonly SeenProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/u.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // Its name, in brackets, may hold anything.
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0").slice(0, -1);
      return [{ pid: Number(name), parent, words }];
    } catch {
      return [];
    }
  });
}
