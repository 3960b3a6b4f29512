import { EVERYTHING } from "../../model/watched-name.ts";
import type { Database } from "../../store/database.ts";
import { deedForm, deedLink } from "../shell/deed-form.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";

/** Of one page. */
const MOST = 200;

export interface WatchedNames {
  readonly names: readonly { readonly name: string; readonly sinceMs: number }[];
  /** The name that the next page is after; null on the last. */
  readonly next: string | null;
  readonly isEverything: boolean;
}

/** Names that are watched, in their order. @param after the last name of the page before; empty for the first. */
export async function readWatched(database: Database, after: string): Promise<WatchedNames> {
  return await database.read(async (db) => {
    const rows = await db
      .selectFrom("watched")
      .selectAll()
      .where("name", ">", after)
      .orderBy("name")
      .limit(MOST + 1)
      .execute();
    const everything = await db
      .selectFrom("watched")
      .select("name")
      .where("name", "=", EVERYTHING)
      .executeTakeFirst();
    const names = rows.slice(0, MOST).map((row) => ({ name: row.name, sinceMs: row.since_ms }));
    return {
      names,
      next: rows.length > MOST ? (names.at(-1)?.name ?? null) : null,
      isEverything: everything !== undefined,
    };
  });
}

/** What is tested as it is released, for operators. */
export function watchedPage(
  { names, next, isEverything }: WatchedNames,
  context: PageContext,
): Page {
  const { site } = context;
  const more = next === null ? null : site.href({ kind: "watched", parameters: { after: next } });
  return {
    title: "Watched projects",
    section: "queue",
    main: html`<h1>Watched projects</h1>
<p class="lead">${
      isEverything
        ? "Everything that the index has is watched: each release is tested as far as it is worth it."
        : names.length === 0
          ? "No project is watched: nothing is tested by itself but pushes to configured repositories."
          : "What these projects release is tested as it comes."
    }</p>
<h2>Watch more</h2>
${deedForm(
  context,
  { kind: "watched" },
  html`<p class="label"><label for="names">Projects by their names, with a space or a line between them; <code>*</code> for everything</label></p>
<p class="field"><textarea id="names" name="names" rows="2" cols="60" required spellcheck="false" autocapitalize="none"></textarea></p>
<p><button>Watch them</button></p>`,
)}
${names.length === 0 ? NOTHING : tableOf(names, context)}
${more === null ? NOTHING : html`<p><a href="${more}" rel="next">More of them</a></p>`}`,
  };
}

function tableOf(names: WatchedNames["names"], context: PageContext): Html {
  const rows = names.map(({ name, sinceMs }) => {
    const place = { kind: "deed", on: "watched", of: name, deed: "remove" } as const;
    const href = name === EVERYTHING ? null : context.site.href({ kind: "project", project: name });
    return html`<tr><th scope="row">${href === null ? name : html`<a href="${href}">${name}</a>`}</th><td>${timeAgo(sinceMs, context.nowMs)}</td><td>${deedLink(context, place, "Watch no more", name)}</td></tr>`;
  });
  return html`<h2>All that are watched</h2>
<div class="frame" tabindex="0" role="region" aria-label="Watched projects"><table><caption>By name</caption>
<thead><tr><th scope="col">Project</th><th scope="col">Since</th><th scope="col">Change</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
