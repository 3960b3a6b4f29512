import { parseVersion, sameVersion } from "../../python/versions.ts";
import type { Database } from "../../store/database.ts";
import {
  knownVersions,
  MOST_OF_CONFIGURATION,
  newestCells,
  pendingOf,
  withdrawals,
  type KnownVersion,
  type VisibleProject,
  type Withdrawal,
} from "../../store/sql/matrix-queries.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { matrixOf, orderVersions } from "../project/matrix.ts";
import { DEEPER, MOST_ROWS, olderThan, standingsOf, storedOf } from "../project/read-matrix.ts";
import { verdictSentence, type VerdictWords } from "../project/verdict-sentence.ts";

export interface ReleaseView {
  readonly project: VisibleProject;
  readonly version: string;
  /** A commit of its repository, and no release. */
  readonly isPush: boolean;
  readonly words: VerdictWords;
  /** On how many configurations it waits or runs at present, where nothing of it was tested yet. */
  readonly pending: number;
  /** The newest of each configuration, in their order. */
  readonly attempts: readonly StoredAttempt[];
  /** The versions beside it, in their order; null at an end. */
  readonly newer: string | null;
  readonly older: string | null;
  /** Of the release, or of the whole project. */
  readonly withdrawal: (Withdrawal & { readonly isWhole: boolean }) | null;
}

/**
 * How a version stands. @param asked as in an address.
 * @returns `elsewhere` where it is known by another spelling; null where there is none.
 */
export async function readRelease(
  database: Database,
  project: VisibleProject,
  asked: string,
): Promise<ReleaseView | { readonly elsewhere: string } | null> {
  const known = await knownVersions(database, project.id);
  const found = known.find(({ version }) => version === asked);
  if (found === undefined) {
    const other = known.find(({ version }) => sameVersion(version, asked));
    return other === undefined ? untested(database, project, asked) : { elsewhere: other.version };
  }
  const { releases, pushes } = orderVersions(known);
  const isPush = pushes.includes(found);
  const line = isPush ? pushes : releases;
  const at = line.indexOf(found);
  const { matrix, row } = await rowsFrom(database, project, line.slice(at, at + 1 + MOST_ROWS), at);
  const stored = await storedOf(database, row ?? null);
  return {
    project,
    version: found.version,
    isPush,
    words: verdictSentence(
      found.version,
      row === undefined ? [] : standingsOf(matrix, row, stored),
      row === undefined ? [] : olderThan(matrix, row),
    ),
    attempts: matrix.configurations.flatMap(
      (configuration) => stored.get(row?.cells.get(configuration)?.attempt ?? "") ?? [],
    ),
    newer: line[at - 1]?.version ?? null,
    older: line[at + 1]?.version ?? null,
    pending: 0,
    withdrawal: await withdrawalOf(database, project.name, found.version),
  };
}

/** What is to be tested, and was not yet; null where it is not. */
async function untested(
  database: Database,
  project: VisibleProject,
  version: string,
): Promise<ReleaseView | null> {
  const pending = await pendingOf(database, project.id, version);
  if (pending === null) return null;
  return {
    project,
    version,
    isPush: parseVersion(version) === null,
    words: verdictSentence(version, [], []),
    pending,
    attempts: [],
    newer: null,
    older: null,
    withdrawal: await withdrawalOf(database, project.name, version),
  };
}

async function withdrawalOf(
  database: Database,
  project: string,
  version: string,
): Promise<ReleaseView["withdrawal"]> {
  const withdrawn = await withdrawals(database, project, [version]);
  const own = withdrawn.get(version);
  const withdrawal = own ?? withdrawn.get("");
  return withdrawal === undefined ? null : { ...withdrawal, isWhole: own === undefined };
}

/** The version's own row, and those of older ones. @param at how many are newer than it. */
async function rowsFrom(
  database: Database,
  { id }: VisibleProject,
  versions: readonly KnownVersion[],
  at: number,
) {
  const cells = await newestCells(
    database,
    id,
    versions.map((one) => one.id),
    MOST_OF_CONFIGURATION * (at < MOST_ROWS ? 1 : DEEPER),
  );
  const matrix = matrixOf(versions, cells);
  const [first] = versions;
  return { matrix, row: matrix.rows.find(({ version }) => version === first?.version) };
}
