import { parseConfidence } from "../../model/result-words.ts";
import { isPreferredRelease } from "../../python/newest.ts";
import { compareVersions, parseVersion } from "../../python/versions.ts";
import type { Database } from "../../store/database.ts";
import {
  attemptsOf,
  knownVersions,
  MOST_OF_CONFIGURATION,
  newestCells,
  type VisibleProject,
} from "../../store/sql/matrix-queries.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { matrixOf, orderVersions, verdictOf, type Matrix, type MatrixRow } from "./matrix.ts";
import type { Standing } from "./verdict-sentence.ts";

/** Releases of one page. */
export const MOST_ROWS = 100;
/** Of a picture for pages of others. */
export const PICTURED_RELEASES = 15;
/** The release that people get is among so many newest ones: others of them are pre-releases. */
export const BADGED_RELEASES = 30;
const MOST_PUSHES = 10;
/** Of releases long past, newer ones have more attempts to be looked through before theirs. */
export const DEEPER = 8;

/** How many configurations a project passes on, of those that say anything of it. */
export interface PassCount {
  readonly passing: number;
  readonly of: number;
}

/** A matrix of the newest releases. @param before only releases older than this one. @param most releases. */
export async function readMatrix(
  database: Database,
  { id }: VisibleProject,
  { before, most = MOST_ROWS }: { readonly before?: string | null; readonly most?: number } = {},
): Promise<{ readonly matrix: Matrix; readonly pushes: Matrix; readonly next: string | null }> {
  const { releases, pushes } = orderVersions(await knownVersions(database, id));
  const bound = before === undefined || before === null ? null : parseVersion(before);
  const from =
    bound === null
      ? 0
      : releases.findIndex(({ version }) => {
          const parsed = parseVersion(version);
          return parsed !== null && compareVersions(parsed, bound) < 0;
        });
  const shown = from < 0 ? [] : releases.slice(from, from + most);
  const newestPushes = bound === null ? pushes.slice(0, MOST_PUSHES) : [];
  const cells = await newestCells(
    database,
    id,
    [...shown, ...newestPushes].map((one) => one.id),
    MOST_OF_CONFIGURATION * (bound === null ? 1 : DEEPER),
  );
  const pushed = new Set(newestPushes.map((one) => one.id));
  const last = shown.at(-1);
  return {
    matrix: matrixOf(
      shown,
      cells.filter(({ versionId }) => !pushed.has(versionId)),
    ),
    pushes: matrixOf(
      newestPushes,
      cells.filter(({ versionId }) => pushed.has(versionId)),
    ),
    next: last !== undefined && from + shown.length < releases.length ? last.version : null,
  };
}

/** The row of the release that people get: the newest that is no pre-release, of those that anything is known of. */
export function newestRow(rows: readonly MatrixRow[]): MatrixRow | null {
  let newest: MatrixRow | null = null;
  for (const row of rows)
    if (newest === null || isPreferredRelease(row.version, newest.version)) newest = row;
  return newest;
}

export function passCount(looks: Iterable<Parameters<typeof verdictOf>[0]>): PassCount {
  const verdicts = [...looks].map(verdictOf);
  const passing = verdicts.filter((verdict) => verdict === "good").length;
  return { passing, of: passing + verdicts.filter((verdict) => verdict === "bad").length };
}

/** Rows after this one. */
export function olderThan({ rows }: Matrix, row: MatrixRow): readonly MatrixRow[] {
  return rows.slice(rows.indexOf(row) + 1);
}

/** The attempts of a row's cells, whole, by their ids. */
export async function storedOf(
  database: Database,
  row: MatrixRow | null,
): Promise<ReadonlyMap<string, StoredAttempt>> {
  const ids = [...(row?.cells.values() ?? [])].map(({ attempt }) => attempt);
  return new Map((await attemptsOf(database, ids)).map((one) => [one.attempt.id, one]));
}

/** @param stored the attempts of the row's cells, by their ids. */
export function standingsOf(
  { configurations }: Matrix,
  { cells }: MatrixRow,
  stored: ReadonlyMap<string, StoredAttempt>,
): readonly Standing[] {
  return configurations.flatMap((configuration) => {
    const cell = cells.get(configuration);
    if (cell === undefined) return [];
    const attempt = stored.get(cell.attempt)?.attempt;
    return [
      {
        configuration,
        look: cell.look,
        cause: attempt?.cause ?? cell.causeKind,
        confidence: parseConfidence(attempt?.confidence ?? "")?.kind ?? "unconfirmed",
      },
    ];
  });
}
