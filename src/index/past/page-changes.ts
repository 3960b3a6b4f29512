import { keptFile } from "../files/kept-file.ts";
import {
  goneFiles,
  idOf,
  MAX_STATUS_CHARS,
  type Change,
  type PageHistory,
} from "./page-history.ts";
import type { ProjectPage } from "../page/project-page.ts";

const NONE: PageHistory = { schema: 1, changes: [], lostBeforeMs: null };

export interface HistoryBounds {
  readonly changes: number;
  /** Of all changes, as JSON. */
  readonly bytes: number;
}
export const HISTORY_BOUNDS: HistoryBounds = { changes: 2000, bytes: 4 << 20 };

/** Two looks at a page, ms since 1970: what changed did so after the one and by the other. */
export interface Looks {
  readonly afterMs: number;
  readonly byMs: number;
}

/**
 * A history with what is new between two looks.
 * @param before null where none is known, or upstream had no such project.
 * @param now null when upstream has none.
 * @returns the very same when nothing changed, or another process has noted it already.
 */
export function withChanges(
  history: PageHistory | undefined,
  before: ProjectPage | null,
  now: ProjectPage | null,
  looks: Looks,
  bounds: HistoryBounds = HISTORY_BOUNDS,
): PageHistory | undefined {
  const gone = goneFiles(history);
  const listed = new Map((now?.files ?? []).map((file) => [idOf(file), file]));
  const found: Change[] = [];
  for (const file of before?.files ?? []) {
    const { filename, key, yanked: was } = file;
    const there = listed.get(idOf(file));
    if (there === undefined && !gone.has(idOf(file)))
      found.push({ kind: "gone", ...looks, file: keptFile(file) });
    else if (there !== undefined && there.yanked !== was)
      found.push({ kind: "yank", ...looks, filename, key, was, is: there.yanked });
  }
  for (const [id, { filename, key }] of listed)
    if (gone.has(id)) found.push({ kind: "back", ...looks, filename, key });
  const statuses = [before, now].map((page) => page?.status.slice(0, MAX_STATUS_CHARS));
  const [was, is] = statuses;
  if (was !== undefined && is !== undefined && was !== is)
    found.push({ kind: "status", ...looks, was, is });
  const noted = lastNoted(history);
  const added = found.filter((change) => !isNoted(noted, change));
  if (added.length === 0) return history;
  const known = history ?? NONE;
  return bounded({ ...known, changes: [...known.changes, ...added] }, bounds);
}

type Told = Extract<Change, { readonly is: unknown }>;

/** The last change of each yank, and of the status. */
function lastNoted(history: PageHistory | undefined): ReadonlyMap<string, Told> {
  const last = new Map<string, Told>();
  for (const change of history?.changes ?? [])
    if (change.kind === "yank" || change.kind === "status") last.set(nameOf(change), change);
  return last;
}

function nameOf(change: Told): string {
  return change.kind === "yank" ? idOf(change) : "";
}

/** By another process, which looked between our two looks. */
function isNoted(noted: ReadonlyMap<string, Told>, change: Change): boolean {
  if (change.kind !== "yank" && change.kind !== "status") return false;
  const last = noted.get(nameOf(change));
  return last !== undefined && last.byMs > change.afterMs && last.is === change.is;
}

function bounded(history: PageHistory, { changes, bytes }: HistoryBounds): PageHistory {
  let spent = 0;
  let from = history.changes.length;
  while (from > 0 && history.changes.length - from < changes) {
    spent += JSON.stringify(history.changes[from - 1]).length;
    if (spent > bytes) break;
    from--;
  }
  if (from === 0) return history;
  const lost = history.changes[from - 1]?.byMs ?? null;
  return { ...history, changes: history.changes.slice(from), lostBeforeMs: lost };
}
