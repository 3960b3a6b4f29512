import type { ChangeSide, ListedChange } from "../../store/sql/verdict-changes.ts";
import { causeWords } from "../shell/cause-words.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { verdictMark } from "../shell/words.ts";
import { nameWords, shownVersion, sideLook, turnWords, versionWords } from "./change-words.ts";

/** Changes of verdict, a line each: what was before, what is now, of what, where, why and when. */
export function changeList(changes: readonly ListedChange[], context: PageContext): Html {
  return html`<ol class="change-list">${changes.map((change) => lineOf(change, context))}</ol>`;
}

function lineOf(change: ListedChange, { site, nowMs }: PageContext): Html {
  const { id, project, line, kind, now, before, atMs } = change;
  const name = nameWords(change);
  const version = versionWords(change);
  const earlier = before.version === now.version ? "" : shownVersion(before.version);
  const where = configurationWords(change.configuration);
  const own = site.href({ kind: "project", project });
  const release =
    line === "" && now.version !== ""
      ? site.href({ kind: "release", project, version: now.version })
      : null;
  const side = (one: ChangeSide, when: string): Html => {
    const href = site.href({ kind: "attempt", id: one.attempt });
    return href === null
      ? verdictMark(sideLook(one))
      : html`<a href="${href}">${verdictMark(sideLook(one))}<span class="visually-hidden"> ${when}, ${name} on ${where}</span></a>`;
  };
  return html`<li data-key="${String(id)}">
<span class="turn">${side(before, "before")} <span aria-hidden="true">→</span> ${side(now, "now")}<span class="visually-hidden">: ${turnWords(kind)}</span></span>
<span class="of">${own === null ? name : html`<a href="${own}">${name}</a>`} ${
    release === null ? version : html`<a href="${release}">${version}</a>`
  }${earlier === "" ? NOTHING : html` <span class="soft">after ${earlier}</span>`}</span>
<span class="where">${where}</span>
<span class="cause">${now.cause === null ? NOTHING : causeWords(now.cause).text}</span>
<span class="when soft">${timeAgo(atMs, nowMs)}</span>
</li>`;
}
