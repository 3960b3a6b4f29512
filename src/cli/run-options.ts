import { z } from "zod";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";

/** What commands that run attempts are told alike. */

const FROM = ["auto", "sdist"] as const;
const MACHINES = ["auto", "qemu", "gvisor", "container"] as const;
const MAX_JOBS = 256;

export const fromOption = z.enum(FROM).default("auto");
export const machineOption = z.enum(MACHINES).default("auto");
/** Attempts side by side. */
export const jobsOption = z.coerce.number().int().min(1).max(MAX_JOBS).optional();

const ALLOWED: Readonly<Record<string, string>> = {
  from: FROM.join(" or "),
  machine: `${MACHINES.slice(0, -1).join(", ")} or ${MACHINES.at(-1)}`,
  jobs: `a number from 1 to ${MAX_JOBS}`,
};

/**
 * The options of a command, checked.
 * @param command as it is typed, for the next step. @throws CreameryError `usage` for a value that an option can't have.
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  command: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const name = String(parsed.error.issues[0]?.path[0] ?? "");
  const typed = z.record(z.string(), z.unknown()).safeParse(given).data?.[name];
  const nextStep = ALLOWED[name];
  throw new CreameryError("usage", "is no value of this option", {
    input: clip(printableLine(`--${name} ${typeof typed === "string" ? typed : ""}`), 100),
    nextStep: nextStep === undefined ? `see ./creamery ${command} --help` : `write ${nextStep}`,
  });
}
