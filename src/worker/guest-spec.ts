import type { GuestSpec } from "../machine/machine.ts";
import type { Limits } from "../model/config/limits.ts";

/** The guest that an attempt with these limits is given. */
export function guestSpec(imageId: string, limits: Limits): GuestSpec {
  const { memoryBytes, cpuSeconds, pids, diskBytes } = limits;
  return { imageId, memoryBytes, cpuSeconds, pids, diskBytes };
}
