import { clip, nearest, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { Within } from "../../model/authorise.ts";
import { isName, normaliseName } from "../../python/names.ts";
import type { Database } from "../../store/database.ts";
import type { StoredAttempt } from "../../store/store.ts";
import {
  newestOfCells,
  visibleProjects,
  type CellAttempt,
} from "../../store/sql/report-queries.ts";

export interface ReportScope {
  /** As typed; all where none is named. */
  readonly projects: readonly string[];
  /** Whether private projects are among it. */
  readonly isPrivate: boolean;
  /** At most so many attempts of each release on each configuration. */
  readonly newest: number;
}

/** What a report is of, decided before any of it is made. */
export interface ReportPlan {
  /** All that is read is narrowed to it. */
  readonly within: Within;
  /** In the order of their names; none without an attempt. */
  readonly projects: readonly PlannedProject[];
  /** When the newest attempt in it was begun, ms since 1970: a report tells no time of its own. */
  readonly atMs: number;
  /** Whether it is of all projects of a farm, and so of the farm. */
  readonly isWholeFarm: boolean;
  /** Whether it has what not everybody may see. */
  readonly holdsPrivate: boolean;
}

export interface PlannedProject {
  readonly name: string;
  /** Oldest first. */
  readonly attempts: readonly CellAttempt[];
}

/** @throws CreameryError `unknown-project` for a name that is not among what the report may have, `usage` for what is none. */
export async function planReport(database: Database, scope: ReportScope): Promise<ReportPlan> {
  const names = scope.projects.map(projectNamed);
  const all: Within = {
    allPublic: true,
    private: scope.isPrivate ? "all" : [],
    public: [],
  };
  const within: Within =
    names.length === 0
      ? all
      : { allPublic: false, private: scope.isPrivate ? names : [], public: names };
  const projects: PlannedProject[] = [];
  const known = new Set<string>();
  let holdsPrivate = false;
  for await (const { name, visibility } of visibleProjects(database, within)) {
    known.add(name);
    const attempts = await newestOfCells(database, name, scope.newest, within);
    if (attempts.length === 0) continue;
    projects.push({ name, attempts });
    holdsPrivate ||= visibility === "private";
  }
  const unknown = names.find((name) => !known.has(name));
  if (unknown !== undefined) throw await unknownProject(database, unknown, all);
  return {
    within,
    projects: projects.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    atMs: projects
      .flatMap(({ attempts }) => attempts)
      .reduce((latest, { startedMs }) => Math.max(latest, startedMs), 0),
    isWholeFarm: names.length === 0,
    holdsPrivate,
  };
}

/** All of what is given, and nothing else of the store that it is in: that is of one run alone. */
export function planRun(attempts: readonly StoredAttempt[]): ReportPlan {
  const byProject = Map.groupBy(attempts, ({ attempt }) => attempt.project);
  const projects = [...byProject].map(([name, own]) => ({
    name,
    attempts: own
      .map(({ attempt, startedAt }) => ({
        id: attempt.id,
        version: attempt.version,
        startedMs: Date.parse(startedAt),
      }))
      .toSorted((one, other) => (one.id < other.id ? -1 : 1)),
  }));
  return {
    within: { allPublic: true, private: "all", public: [] },
    projects: projects.toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    atMs: attempts.reduce((latest, { startedAt }) => Math.max(latest, Date.parse(startedAt)), 0),
    isWholeFarm: false,
    holdsPrivate: attempts.some(({ visibility }) => visibility === "private"),
  };
}

function projectNamed(given: string): string {
  if (isName(given)) return normaliseName(given);
  throw new CreameryError("usage", "is no project's name", {
    input: clip(printableLine(given), 120),
    nextStep: "give one as on the index: --project numpy",
  });
}

async function unknownProject(
  database: Database,
  name: string,
  within: Within,
): Promise<CreameryError> {
  const names: string[] = [];
  for await (const project of visibleProjects(database, within)) names.push(project.name);
  const meant = nearest(name, names);
  return new CreameryError("unknown-project", "the farm has no such project to show", {
    input: name,
    nextStep:
      meant === undefined
        ? "test it first, or add --private for a private one"
        : `did you mean ${meant}?`,
  });
}
