import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import type { Database } from "../store/database.ts";
import {
  coverage,
  COVERAGE_STATES,
  notAdmitted,
  type Coverage,
  type NotAdmitted,
} from "../store/sql/coverage.ts";
import { openConfiguredStore } from "./farm/configured-store.ts";

const Options = z.object({
  days: z.coerce.number().min(0.01).max(3650).default(7),
  json: z.boolean().default(false),
});

const DAY_MS = 86_400_000;
const SHOWN = 20;
const MOST_TOLD = 10_000;

/**
 * `creamery coverage`: what was tested of all that was seen, and what was not, with its reason.
 * @returns the exit code. @throws CreameryError `usage`, `store`.
 */
export async function coverageCommand(given: unknown): Promise<number> {
  await using database = await openConfiguredStore(given);
  process.stdout.write(await shownCoverage(database, given, Date.now()));
  return 0;
}

/** What the command prints. @throws CreameryError `usage`. */
export async function shownCoverage(
  database: Database,
  options: unknown,
  nowMs: number,
): Promise<string> {
  const parsed = Options.safeParse(options ?? {});
  if (!parsed.success)
    throw new CreameryError("usage", "is no number of days, from 0.01 to 3650", {
      input: "--days",
      nextStep: "see ./creamery coverage --help",
    });
  const { days, json } = parsed.data;
  const sinceMs = Math.floor(nowMs - days * DAY_MS);
  const [found, left] = await database.read(async (db) => [
    await coverage(db, { sinceMs, visibility: "all" }),
    await notAdmitted(db, { sinceMs, limit: json ? MOST_TOLD : SHOWN }),
  ]);
  return json
    ? `${JSON.stringify({ schema: 1, days, ...found, notAdmitted: left }, null, 2)}\n`
    : asText(found, left, days);
}

function asText(found: Coverage, left: readonly NotAdmitted[], days: number): string {
  const heading = ["class".padEnd(12), "seen", ...COVERAGE_STATES];
  const rows = [{ class: "all", seen: found.seen, states: found.states }, ...found.classes];
  const line = ({ class: name, seen, states }: (typeof rows)[number]) =>
    [
      name.padEnd(12),
      String(seen).padStart(4),
      ...COVERAGE_STATES.map((state) => String(states[state]).padStart(state.length)),
    ].join("  ");
  const told = left.map(
    ({ project, version, class: of, reason }) => `  ${project} ${version} (${of}): ${reason}`,
  );
  const more = found.states["not-admitted"] - left.length;
  return `${[
    `${found.seen} releases were seen in ${days} days`,
    heading.join("  "),
    ...rows.map(line),
    ...(left.length === 0 ? [] : ["not admitted, newest first:", ...told]),
    ...(more > 0 ? [`  … and ${more} more: see --json`] : []),
  ].join("\n")}\n`;
}
