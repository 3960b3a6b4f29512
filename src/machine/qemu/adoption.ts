import { randomBytes, randomUUID } from "node:crypto";

import type { GuestSpec } from "../machine.ts";

const ENTROPY_BYTES = 64;

/**
 * What makes a copy a machine of its own, before any job's code runs in it, as guest/machine/boot.py takes it apart: the nonce (32 characters),
 * the clock (19 digits, ns since the epoch), randomness as the kernel takes it (`rand_pool_info` of linux/random.h, 72 bytes), and words
 * with a space between. No JSON: a copy without KVM translates again whatever it runs, and this is on the way to its first word.
 * @param nonce lower-case hexadecimal.
 */
export function adoptionOf(nonce: string, { pids }: Pick<GuestSpec, "pids">): Buffer {
  const entropy = Buffer.alloc(8 + ENTROPY_BYTES, randomBytes(8 + ENTROPY_BYTES));
  entropy.writeInt32LE(ENTROPY_BYTES * 8, 0);
  entropy.writeInt32LE(ENTROPY_BYTES, 4);
  const names = [
    `creamery-${randomBytes(4).toString("hex")}`,
    randomBytes(16).toString("hex"),
    randomUUID(),
    pids,
  ];
  return Buffer.concat([
    Buffer.from(`adopt ${nonce}${Date.now()}000000`),
    entropy,
    Buffer.from(names.join(" ")),
  ]);
}
