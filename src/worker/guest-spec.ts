import type { GuestSpec, Machine } from "../machine/machine.ts";
import type { Limits } from "../model/config/limits.ts";

/** The guest of this machine that an attempt with these limits is given. */
export function guestSpec(
  machine: Pick<Machine, "slowness">,
  imageId: string,
  limits: Limits,
): GuestSpec {
  const { memoryBytes, pids, diskBytes } = limits;
  return { imageId, memoryBytes, cpuSeconds: cpuLimitSeconds(machine, limits), pids, diskBytes };
}

/** CPU time is multiplied like wall time: what takes an hour on an ordinary host takes a slow machine kind longer. */
export function cpuLimitSeconds(
  { slowness }: Pick<Machine, "slowness">,
  { cpuSeconds }: Pick<Limits, "cpuSeconds">,
): number {
  return cpuSeconds * slowness;
}
