import { createHash } from "node:crypto";
import { z } from "zod";

import { BUILDERS } from "./source.ts";

/**
 * All that an attempt's outcome may depend on. Recorded always: an attempt can be run again with the
 * same axes, or with exactly one of them changed.
 */
export const Axes = z.object({
  /** Of the distribution or packed tree under test, hexadecimal. */
  source: z.string().regex(/^[0-9a-f]{64}$/),
  /** `cpython-3.13.5` */
  interpreter: z.string().min(1).max(80),
  /** Who built the interpreter: two builds of one version are two interpreters. */
  builder: z.enum(BUILDERS),
  /** `2026.11.1+0f3a9c21` */
  image: z.string().min(1).max(120),
  machine: z.enum(["qemu", "gvisor", "container"]),
  /** Instant at which the index was asked, RFC 3339; a reproduction keeps the first one's. */
  indexDate: z.string().min(1).max(40),
  /** sha256 of what the index gave (pylock.toml), hexadecimal; null when nothing was asked of it. */
  lock: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** sha256 of the plan's canonical JSON; null when none was run. */
  plan: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  agent: z.string().max(80),
  /** sha256 of what an experiment gave it otherwise (overlay.ts), hexadecimal; absent where it was given nothing. */
  overlay: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
});
export type Axes = z.infer<typeof Axes>;

export const AXIS_NAMES = [
  "source",
  "interpreter",
  "builder",
  "image",
  "machine",
  "indexDate",
  "lock",
  "plan",
  "agent",
  "overlay",
] as const;

/** Axes whose values differ. The index's date alone is no difference: what it gave is the lock's to say. */
export function differingAxes(left: Axes, right: Axes): (keyof Axes)[] {
  return AXIS_NAMES.filter((axis) => axis !== "indexDate" && left[axis] !== right[axis]);
}

/** sha256 of a JSON value with sorted keys, hexadecimal: the same plan gives the same hash whatever wrote it. */
export function canonicalHash(value: unknown): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}

function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([name, field]) => `${JSON.stringify(name)}:${canonicalJson(field)}`);
    return `{${fields.join(",")}}`;
  }
  return JSON.stringify(value) ?? "null";
}
