import { readFileSync } from "node:fs";

/** Field 22 of proc(5)'s stat: start time in clock ticks since boot; undefined when there is no such process. */
export function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/**
 * What names of this process's own files begin with, before a `-`. Its number alone would not do: another process has it
 * later, and where numbers begin anew with each start, as in a container, its own next life has.
 */
export const PROCESS_NAME = `${process.pid}.${startTicks(process.pid) ?? ""}`;

/** Whether what is so named is of a process that is no more; a number alone is taken too. */
export function isOfEnded(name: string): boolean {
  const [, digits = "", ticks] = /^(\d+)(?:\.(\d*))?-/u.exec(name) ?? [];
  const pid = Number(digits);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  const now = startTicks(pid);
  if (now !== undefined) return ticks !== undefined && ticks !== now;
  // Hardened hosts show nobody the processes of others.
  try {
    process.kill(pid, 0);
    return false;
  } catch (thrown) {
    return !(thrown instanceof Error && "code" in thrown && thrown.code === "EPERM");
  }
}
