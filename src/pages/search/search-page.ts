import { clip, printableLine } from "../../base/bounded-text.ts";
import { normaliseName } from "../../python/names.ts";
import { isAttemptId } from "../../store/attempt-id.ts";
import type { Database } from "../../store/database.ts";
import { projectsPage, type ListedProject } from "../../store/sql/project-queries.ts";
import { visibleResult } from "../../store/sql/result-queries.ts";
import { html, NOTHING } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";

export const MAX_QUERY_CHARS = 200;
const MOST_FOUND = 50;
/** Ids are of 16 characters: a whole one is looked up. */
const ID_CHARS = 16;

export interface Found {
  readonly query: string;
  readonly projects: readonly ListedProject[];
  readonly hasMore: boolean;
  /** Of an attempt whose whole id was asked for. */
  readonly attempt: string | null;
}

/** Projects whose names begin so, and the attempt with this id. @param asked as it was typed. */
export async function search(
  database: Database,
  asked: string,
  { within }: PageContext,
): Promise<Found> {
  const query = asked.trim().slice(0, MAX_QUERY_CHARS);
  const nothing: Found = { query, projects: [], hasMore: false, attempt: null };
  if (query === "") return nothing;
  const lower = query.toLowerCase();
  const attempt =
    lower.length === ID_CHARS && isAttemptId(lower)
      ? await visibleResult(database, lower, within)
      : null;
  const prefix = /^[a-z0-9._-]+$/u.test(lower) ? normaliseName(lower) : null;
  const found =
    prefix === null ? [] : await projectsPage(database, { within, prefix, limit: MOST_FOUND + 1 });
  return {
    query,
    projects: found.slice(0, MOST_FOUND),
    hasMore: found.length > MOST_FOUND,
    attempt: attempt?.attempt.id ?? null,
  };
}

export function searchPage(found: Found, { site }: PageContext): Page {
  const { query, projects, hasMore, attempt } = found;
  const shown = clip(printableLine(query), MAX_QUERY_CHARS);
  const rows = projects.map(
    ({ name, visibility, newestAttempt }) =>
      html`<li><a href="${site.href({ kind: "project", project: name }) ?? ""}">${name}</a>${
        visibility === "private" ? html` <span class="soft">private</span>` : NOTHING
      }${newestAttempt === null ? html` <span class="soft">not tested yet</span>` : NOTHING}</li>`,
  );
  const isEmpty = projects.length === 0 && attempt === null;
  const results = html`<h2>Found</h2>
${attempt === null ? NOTHING : html`<p>Attempt <a href="${site.href({ kind: "attempt", id: attempt }) ?? ""}">${attempt}</a></p>`}
${rows.length === 0 ? NOTHING : html`<ul>${rows}</ul>`}
${hasMore ? html`<p>There are more: type more of the name.</p>` : NOTHING}
${isEmpty ? html`<p>The farm knows no project whose name begins with <code>${shown}</code>, and no such attempt.</p>` : NOTHING}`;
  return {
    title: query === "" ? "Search" : `Search: ${shown}`,
    section: "search",
    main: html`<h1>Search</h1>
<form action="${site.href({ kind: "search" }) ?? ""}" method="get">
<p><label for="query">A project's name, or how it begins; or an attempt's whole id</label></p>
<p><input id="query" name="q" type="search" maxlength="${String(MAX_QUERY_CHARS)}" value="${shown}" autocomplete="off" spellcheck="false"> <button>Search</button></p>
</form>
${query === "" ? NOTHING : results}`,
  };
}
