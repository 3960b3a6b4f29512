import { clip, printableLine } from "../../base/bounded-text.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { lineRows } from "./line-markup.ts";
import { lineForm, sectionTitle } from "./log-panel.ts";
import type { LogPageView } from "./log-view.ts";

/** Whose log it is. */
export interface LogSubject {
  readonly project: string;
  readonly version: string;
  readonly configuration: string;
}

/** One page of a log: its lines as they are, with an anchor each. @param said what was looked for in vain. */
export function logPage(
  view: LogPageView,
  subject: LogSubject,
  context: PageContext,
  said?: string,
): Page {
  const { id, page, pages, lines, isWhole, parts } = view;
  const name = [subject.project, subject.version]
    .map((one) => clip(printableLine(one), 100))
    .join(" ");
  const attempt = context.site.href({ kind: "attempt", id });
  const first = parts[0]?.lines[0]?.number ?? 0;
  const last = parts.at(-1)?.lines.at(-1)?.number ?? 0;
  const range = html`Lines ${first.toLocaleString("en")} to ${last.toLocaleString("en")} of ${lines.toLocaleString("en")}${isWhole ? NOTHING : html`, as far as it was read by now`}.`;
  return {
    title: `Log of ${name}, page ${page} of ${pages}`,
    section: null,
    main: html`<h1>Log of ${name}</h1>
<p class="lead">${range}</p>
<p>${attempt === null ? NOTHING : html`<a href="${attempt}">The attempt</a>`} on ${clip(printableLine(subject.configuration), 60)}.</p>
${said === undefined ? NOTHING : html`<p role="status">${said}</p>`}
${context.site.kind === "live" ? lineForm(id, context) : NOTHING}
${pager(view, context, "above the log")}
${parts.map(({ section, lines: own }) => {
  const isContinued = (own[0]?.number ?? 0) > section.from;
  return html`<h2 class="log-step-name">${sectionTitle(section)}${isContinued ? html` <span class="soft">(continued)</span>` : NOTHING}</h2>
<div class="frame" tabindex="0" role="region" aria-label="From line ${own[0]?.number ?? 0}"><pre class="log">${lineRows(own)}</pre></div>`;
})}
${pager(view, context, "below the log")}`,
  };
}

function pager({ id, page, pages }: LogPageView, { site }: PageContext, where: string): Html {
  if (pages === 1) return NOTHING;
  const link = (to: number, text: string, rel?: string): Html => {
    const href =
      to >= 1 && to <= pages && to !== page ? site.href({ kind: "log", id, page: to }) : null;
    if (href === null) return html`<li><span class="soft">${text}</span></li>`;
    return html`<li>${rel === undefined ? html`<a href="${href}">${text}</a>` : html`<a href="${href}" rel="${rel}">${text}</a>`}</li>`;
  };
  return html`<nav class="pager" aria-label="Pages, ${where}"><ul>${link(1, "First")}${link(page - 1, "Previous", "prev")}<li aria-current="page">Page ${page} of ${pages}</li>${link(page + 1, "Next", "next")}${link(pages, "Last")}</ul></nav>`;
}
