import { z } from "zod";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { isName, normaliseName } from "../python/names.ts";
import type { Database } from "../store/database.ts";
import { dependents, type Dependents } from "../store/sql/dependency-rows.ts";
import { openConfiguredStore } from "./farm/configured-store.ts";

const Options = z.object({
  transitive: z.boolean().default(false),
  extras: z.boolean().default(false),
  limit: z.coerce.number().int().min(1).max(100_000).default(100),
  json: z.boolean().default(false),
});

/**
 * `creamery dependents NAME`: who depends on a project, as far as this farm knows.
 * @returns the exit code. @throws CreameryError `usage`, `store`.
 */
export async function dependentsCommand(name: string, given: unknown): Promise<number> {
  await using database = await openConfiguredStore(given);
  process.stdout.write(await shownDependents(database, name, given));
  return 0;
}

/** What the command prints. @throws CreameryError `usage`. */
export async function shownDependents(
  database: Database,
  given: string,
  options: unknown,
): Promise<string> {
  const parsed = Options.safeParse(options ?? {});
  if (!parsed.success)
    throw new CreameryError("usage", "is no number of projects, from 1 to 100000", {
      input: "--limit",
      nextStep: "see ./creamery dependents --help",
    });
  if (!isName(given))
    throw new CreameryError("usage", "is no project's name", {
      input: printableLine(given).slice(0, 120),
      nextStep: "give one as on the index: ./creamery dependents numpy",
    });
  const name = normaliseName(given);
  const { transitive, extras, limit, json } = parsed.data;
  const found = await database.read((db) =>
    dependents(db, { name, transitive, extras, visibility: "all", limit }),
  );
  return json
    ? `${JSON.stringify({ schema: 1, name, ...found }, null, 2)}\n`
    : asText(name, found, transitive);
}

function asText(name: string, found: Dependents, transitive: boolean): string {
  const through =
    found.transitive === null || !transitive
      ? ""
      : `, ${found.transitive - found.direct} more through others`;
  const lines = found.list.map(({ project, distance, kind, dependents: needed }) => {
    const how = distance === 1 ? kind : `through ${distance - 1}`;
    return `  ${project.padEnd(40)} ${how.padEnd(10)} ${needed} depend on it`;
  });
  const left = found.truncated ? ["  … and more: see --limit"] : [];
  return `${[
    `${name}: ${found.direct} known projects depend on it${through}`,
    ...lines,
    ...left,
  ].join("\n")}\n`;
}
