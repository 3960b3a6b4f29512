import type { Database } from "../../store/database.ts";
import {
  dependenciesOf,
  newestOfProjects,
  visibleDependents,
  type ShownDependency,
} from "../../store/sql/dependent-queries.ts";
import {
  attemptSizes,
  withdrawals,
  type AttemptSizes,
  type VisibleProject,
  type Withdrawal,
} from "../../store/sql/matrix-queries.ts";
import type { PageContext } from "../shell/page.ts";
import { lookOf } from "../shell/words.ts";
import { verdictOf, type Matrix } from "./matrix.ts";
import {
  newestRow,
  olderThan,
  passCount,
  readMatrix,
  standingsOf,
  storedOf,
  type PassCount,
} from "./read-matrix.ts";
import { verdictSentence, type VerdictWords } from "./verdict-sentence.ts";

const MOST_TRENDING = 50;
const FIRST_DEPENDENTS = 20;

/** One release in a trend, on one configuration. */
export interface TrendPoint extends AttemptSizes {
  readonly version: string;
  readonly attempt: string;
}

export interface Trend {
  readonly configuration: string;
  /** Oldest first. */
  readonly points: readonly TrendPoint[];
}

export interface ProjectView {
  readonly project: VisibleProject;
  readonly matrix: Matrix;
  readonly pushes: Matrix;
  /** What the shown releases are older than; null on the first page. */
  readonly before: string | null;
  /** The last release shown, where there are older ones. */
  readonly next: string | null;
  /** The release that people get, and how it stands; null where none was tested, and on later pages. */
  readonly newest: {
    readonly version: string;
    readonly testedMs: number;
    readonly words: VerdictWords;
  } | null;
  readonly withdrawn: ReadonlyMap<string, Withdrawal>;
  readonly trend: Trend | null;
  readonly dependents: {
    readonly count: number;
    readonly hasMore: boolean;
    readonly first: readonly { readonly name: string; readonly passes: PassCount }[];
  };
  readonly dependencies: readonly ShownDependency[];
}

/** All that a project's page shows. */
export async function readProject(
  database: Database,
  project: VisibleProject,
  { before, context }: { readonly before: string | null; readonly context: PageContext },
): Promise<ProjectView> {
  const { within } = context;
  const { matrix, pushes, next } = await readMatrix(database, project, { before });
  const isFirst = before === null;
  const row = isFirst ? newestRow(matrix.rows) : null;
  const trending = isFirst ? trendingOf(matrix) : null;
  const stored = await storedOf(database, row);
  const sizes = await attemptSizes(
    database,
    (trending?.cells ?? []).map(({ attempt }) => attempt),
  );
  const dependents = await visibleDependents(database, project.name, within, FIRST_DEPENDENTS);
  const newestOf = await newestOfProjects(
    database,
    dependents.first.map(({ id }) => id),
  );
  return {
    project,
    matrix,
    pushes,
    before,
    next,
    newest:
      row === null
        ? null
        : {
            version: row.version,
            testedMs: Math.max(...[...row.cells.values()].map(({ startedMs }) => startedMs)),
            words: verdictSentence(
              row.version,
              standingsOf(matrix, row, stored),
              olderThan(matrix, row),
            ),
          },
    withdrawn: await withdrawals(
      database,
      project.name,
      matrix.rows.map(({ version }) => version),
    ),
    trend: trending === null ? null : trendOf(trending, sizes),
    dependents: {
      ...dependents,
      first: dependents.first.map(({ id, name }) => ({
        name,
        passes: passCount(
          (newestOf.get(id) ?? []).map(({ outcome, causeKind }) => lookOf(outcome, causeKind)),
        ),
      })),
    },
    dependencies: await dependenciesOf(database, project.id, within),
  };
}

interface Trending {
  readonly configuration: string;
  readonly cells: readonly { readonly version: string; readonly attempt: string }[];
}

/** The configuration of which most is known, and its newest releases that the farm did not fail at. */
function trendingOf({ configurations, rows }: Matrix): Trending | null {
  let most: Trending | null = null;
  for (const configuration of configurations) {
    const cells = rows.flatMap(({ version, cells: own }) => {
      const cell = own.get(configuration);
      return cell === undefined || verdictOf(cell.look) === "none"
        ? []
        : [{ version, attempt: cell.attempt }];
    });
    const count = most?.cells.length ?? 0;
    // Of as many, the newest CPython.
    const isPreferred = cells.length === count && configuration.startsWith("cpython-");
    if (cells.length > 0 && (cells.length > count || isPreferred)) most = { configuration, cells };
  }
  return most === null ? null : { ...most, cells: most.cells.slice(0, MOST_TRENDING) };
}

function trendOf(
  { configuration, cells }: Trending,
  sizes: ReadonlyMap<string, AttemptSizes>,
): Trend | null {
  const points = cells.toReversed().flatMap(({ version, attempt: id }) => {
    const own = sizes.get(id);
    return own === undefined ? [] : [{ version, attempt: id, ...own }];
  });
  return points.length < 2 ? null : { configuration, points };
}
