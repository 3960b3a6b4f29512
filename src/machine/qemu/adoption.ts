import { randomBytes, randomUUID } from "node:crypto";

import type { GuestSpec } from "../machine.ts";

const ENTROPY_BYTES = 64;

/**
 * What makes a copy a machine of its own, before any job's code runs in it: words with a space between, in the order of
 * guest/machine/boot.py. No JSON: a copy without KVM translates again whatever it runs, and this is on the way to its first word.
 * @param nonce lower-case hexadecimal.
 */
export function adoptionOf(nonce: string, { pids }: Pick<GuestSpec, "pids">): string {
  return [
    "adopt",
    nonce,
    Date.now(),
    randomBytes(ENTROPY_BYTES).toString("hex"),
    `creamery-${randomBytes(4).toString("hex")}`,
    randomBytes(16).toString("hex"),
    randomUUID(),
    pids,
  ].join(" ");
}
