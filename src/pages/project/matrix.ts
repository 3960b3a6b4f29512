import { standing, type Standing } from "../../model/compare.ts";
import { compareConfigurations } from "../../model/configuration-name.ts";
import { compareVersions, parseVersion } from "../../python/versions.ts";
import type { CellRow, KnownVersion } from "../../store/sql/matrix-queries.ts";
import { lookOf, type Look } from "../shell/words.ts";

/** How a version stands on a configuration. */
export interface Cell {
  readonly attempt: string;
  readonly look: Look;
  /** Without its detail; null on a pass. */
  readonly causeKind: string | null;
  readonly startedMs: number;
}

export interface MatrixRow {
  /** Of a release; the commit of a push. */
  readonly version: string;
  /** By configuration; what was not tested has none. */
  readonly cells: ReadonlyMap<string, Cell>;
}

export interface Matrix {
  /** In their order. */
  readonly configurations: readonly string[];
  /** Newest first. */
  readonly rows: readonly MatrixRow[];
}

/** What a look says of the release; what it says nothing of is looked through. */
export function verdictOf(look: Look | undefined): Standing {
  if (look === undefined || look === "farm" || look === "waiting") return "none";
  return standing(look);
}

/** Releases newest first by PEP 440; apart from them what is no version (pushes), heard of last first as it was given. */
export function orderVersions(known: readonly KnownVersion[]): {
  readonly releases: readonly KnownVersion[];
  readonly pushes: readonly KnownVersion[];
} {
  const parsed = known.map((one) => ({ one, version: parseVersion(one.version) }));
  return {
    releases: parsed
      .flatMap(({ one, version }) => (version === null ? [] : [{ one, version }]))
      .toSorted((left, right) => compareVersions(right.version, left.version))
      .map(({ one }) => one),
    pushes: parsed.flatMap(({ one, version }) => (version === null ? [one] : [])),
  };
}

/** @param versions in the order of rows; those of which nothing was tested get none. */
export function matrixOf(versions: readonly KnownVersion[], cells: readonly CellRow[]): Matrix {
  const configurations = [...new Set(cells.map(({ configuration }) => configuration))].toSorted(
    (left, right) => compareConfigurations(left, right) || (left < right ? -1 : 1),
  );
  const byVersion = Map.groupBy(cells, ({ versionId }) => versionId);
  return {
    configurations,
    rows: versions.flatMap(({ id, version }) => {
      const own = byVersion.get(id) ?? [];
      return own.length === 0
        ? []
        : [{ version, cells: new Map(own.map((cell) => [cell.configuration, cellOf(cell)])) }];
    }),
  };
}

function cellOf({ attempt, outcome, causeKind, startedMs }: CellRow): Cell {
  return { attempt, look: lookOf(outcome, causeKind), causeKind, startedMs };
}

/** Since when a configuration is bad. */
export interface BadSince {
  /** The oldest version of the run of bad ones. */
  readonly version: string;
  /** The newest one before it that was good; null where none is known: it may be bad for longer. */
  readonly goodIn: string | null;
}

/** @param older rows before the version, newest first. */
export function badSince(
  version: string,
  configuration: string,
  older: readonly MatrixRow[],
): BadSince {
  let since = version;
  for (const row of older) {
    const verdict = verdictOf(row.cells.get(configuration)?.look);
    if (verdict === "good") return { version: since, goodIn: row.version };
    if (verdict === "bad") since = row.version;
  }
  return { version: since, goodIn: null };
}

/** Attempts with which a run of bad ones begins, where it was good before; by attempt, the version in which it was good. */
export function beginnings({ configurations, rows }: Matrix): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const configuration of configurations) {
    let lastGood: string | null = null;
    for (const { version, cells } of rows.toReversed()) {
      const cell = cells.get(configuration);
      const verdict = verdictOf(cell?.look);
      if (verdict === "bad" && cell !== undefined && lastGood !== null)
        found.set(cell.attempt, lastGood);
      if (verdict !== "none") lastGood = verdict === "good" ? version : null;
    }
  }
  return found;
}

/** On which sides a bad cell has a good neighbour: the outline of what is broken. */
export function badEdges(
  { configurations, rows }: Matrix,
  row: number,
  column: number,
): { readonly left: boolean; readonly right: boolean; readonly above: boolean } {
  const isGood = (atRow: number, atColumn: number): boolean =>
    verdictOf(rows[atRow]?.cells.get(configurations[atColumn] ?? "")?.look) === "good";
  return {
    left: isGood(row, column - 1),
    right: isGood(row, column + 1),
    above: isGood(row - 1, column),
  };
}
