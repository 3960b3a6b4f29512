import { clip, printableLine } from "../../base/bounded-text.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import type { Site } from "../shell/site.ts";
import { timeAgo } from "../shell/times.ts";
import { legendOf, matrixTable } from "./matrix-table.ts";
import { badgeSection, dependenciesSection, dependentsSection } from "./project-sections.ts";
import type { ProjectView } from "./read-project.ts";
import { trendSection } from "./trend-section.ts";
import { versionWords } from "./verdict-sentence.ts";

const MAX_REASON_CHARS = 300;

/** How a project stands: the newest release first, then all of them, then what belongs to it. */
export function projectPage(view: ProjectView, context: PageContext): Page {
  const { project, trend } = view;
  const { site } = context;
  const feed = site.href({ kind: "feed", project: project.name });
  return {
    title: project.name,
    section: null,
    ...(feed === null
      ? {}
      : { feed: { href: feed, title: `Changes of verdict of ${project.name}` } }),
    main: html`<h1>${project.name}${
      project.visibility === "private" ? html` <span class="soft">private</span>` : NOTHING
    }</h1>
${leadOf(view, context)}
${withdrawalOf(view)}
${releasesSection(view, site)}
${pushesSection(view, site)}
${trend === null ? NOTHING : trendSection(trend, site)}
${
  view.before === null
    ? html`${dependentsSection(view, site)}
${dependenciesSection(view, site)}
${badgeSection(view, site)}
${
  feed === null
    ? NOTHING
    : html`<p>Or follow <a href="${feed}">the feed of its changes of verdict</a>: it tells what newly broke and what was fixed, nothing else.</p>`
}`
    : NOTHING
}`,
  };
}

function leadOf({ project, newest, before, pushes }: ProjectView, context: PageContext): Html {
  const { site, nowMs } = context;
  if (before !== null)
    return html`<p class="lead">Releases of ${project.name} before ${versionWords(before)}.</p>`;
  if (newest === null)
    return html`<p class="lead">No release of ${project.name} was tested yet${
      pushes.rows.length === 0 ? NOTHING : html`, only what was pushed`
    }.</p>`;
  const { version, testedMs, words } = newest;
  const href = site.href({ kind: "release", project: project.name, version });
  const shown = versionWords(version);
  return html`<p class="lead"><strong>${href === null ? shown : html`<a href="${href}">${shown}</a>`}</strong>: ${words.main}</p>
${words.notes.length === 0 ? NOTHING : html`<p>${words.notes.join(" ")}</p>`}
<p class="soft">The newest release, tested ${timeAgo(testedMs, nowMs)}.</p>`;
}

function withdrawalOf({ withdrawn }: ProjectView): Html {
  const whole = withdrawn.get("");
  if (whole === undefined) return NOTHING;
  return html`<p><strong>The whole project was ${whole.state} on its index</strong>${reasonOf(whole.reason)}.</p>`;
}

/** `: broken on Windows`, in the words of whoever did it. */
export function reasonOf(reason: string | null): string {
  return reason === null || reason.trim() === ""
    ? ""
    : `: ${clip(printableLine(reason.trim()), MAX_REASON_CHARS)}`;
}

function releasesSection({ project, matrix, withdrawn, next, before }: ProjectView, site: Site) {
  if (matrix.rows.length === 0)
    return before === null ? NOTHING : html`<p>There are none that the farm has tested.</p>`;
  const older =
    next === null
      ? null
      : site.href({ kind: "project", project: project.name, parameters: { before: next } });
  const first = before === null ? null : site.href({ kind: "project", project: project.name });
  const links = [
    first === null ? NOTHING : html`<a href="${first}">Newest releases</a> `,
    older === null ? NOTHING : html`<a href="${older}">Older releases</a>`,
  ];
  return html`<h2>Releases and configurations</h2>
<a class="skip-here" href="#after-matrix">Skip the table</a>
${matrixTable(
  {
    project: project.name,
    matrix,
    rowHead: "Release",
    caption: `How each release of ${project.name} stands on each configuration, newest first`,
    marks: new Map([...withdrawn].map(([version, { state }]) => [version, state])),
  },
  site,
)}
<div id="after-matrix" tabindex="-1">${legendOf([matrix])}</div>
${older === null && first === null ? NOTHING : html`<p>${links}</p>`}`;
}

function pushesSection({ project, pushes }: ProjectView, site: Site): Html {
  if (pushes.rows.length === 0) return NOTHING;
  return html`<h2>Pushes</h2>
<p class="soft">Of its repository, heard of last first.</p>
${matrixTable(
  {
    project: project.name,
    matrix: pushes,
    rowHead: "Commit",
    caption: `How the newest pushes of ${project.name} stand on each configuration`,
    marks: new Map(),
  },
  site,
)}
${legendOf([pushes])}`;
}
