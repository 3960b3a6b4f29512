import { clip, printableLine } from "../../base/bounded-text.ts";
import { verdictList, type NewVerdict } from "../home/verdict-list.ts";
import { numberText } from "../shell/numbers.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";

/** A project in a report, by the release that people get. */
export interface ReportedProject {
  readonly name: string;
  readonly isPrivate: boolean;
  /** Null where no release of it was tested, but pushes perhaps. */
  readonly version: string | null;
  /** How that stands, one sentence; empty where nothing is known. */
  readonly sentence: string;
}

export interface ReportFacts {
  readonly attempts: number;
  /** In the order of their names. */
  readonly projects: readonly ReportedProject[];
  /** The newest of them, newest first. */
  readonly verdicts: readonly NewVerdict[];
}

/** So many projects stand on the first page: the rest is on the list of all of them. */
const MOST_PROJECTS = 100;

/** The first page of a farm's report. */
export function reportPage(
  { attempts, projects, verdicts }: ReportFacts,
  context: PageContext,
): Page {
  const title = reportTitle(projects);
  const all = context.site.href({ kind: "search" });
  return {
    title,
    section: "home",
    main: html`<h1>${title}</h1>
<p class="lead">${numberText(attempts)} ${attempts === 1 ? "attempt" : "attempts"}, each in a fresh guest of its own.</p>
<section aria-labelledby="projects">
<h2 id="projects">Projects</h2>
${projects.length === 0 ? html`<p>There is none that was tested yet.</p>` : projectsTable(projects.slice(0, MOST_PROJECTS), context)}
${
  projects.length > MOST_PROJECTS && all !== null
    ? html`<p><a href="${all}">All ${numberText(projects.length)} projects</a></p>`
    : NOTHING
}
</section>
<section aria-labelledby="verdicts">
<h2 id="verdicts">Newest verdicts</h2>
${verdicts.length === 0 ? html`<p>There is none yet.</p>` : verdictList(verdicts, context)}
</section>`,
  };
}

/** All projects of a report, where a farm has its search. */
export function projectListPage(projects: readonly ReportedProject[], context: PageContext): Page {
  return {
    title: "Projects",
    section: "search",
    main: html`<h1>Projects</h1>
<p class="lead">${numberText(projects.length)} of them, in the order of their names.</p>
${projects.length === 0 ? NOTHING : projectsTable(projects, context)}`,
  };
}

function reportTitle(projects: readonly ReportedProject[]): string {
  const [only] = projects;
  return projects.length === 1 && only !== undefined
    ? `Test results of ${only.name}`
    : `Test results of ${numberText(projects.length)} projects`;
}

function projectsTable(projects: readonly ReportedProject[], context: PageContext): Html {
  return html`<div class="frame" tabindex="0" role="region" aria-label="How projects stand"><table class="reported">
<caption class="visually-hidden">Projects, and how the release that people get stands</caption>
<thead><tr><th scope="col">Project</th><th scope="col">Release</th><th scope="col">How it stands</th></tr></thead>
<tbody>${projects.map((project) => projectRow(project, context))}</tbody></table></div>`;
}

function projectRow(
  { name, isPrivate, version, sentence }: ReportedProject,
  { site }: PageContext,
): Html {
  const own = site.href({ kind: "project", project: name });
  const release = version === null ? null : site.href({ kind: "release", project: name, version });
  const shown = version === null ? "" : clip(printableLine(version), 60);
  return html`<tr><th scope="row">${own === null ? name : html`<a href="${own}">${name}</a>`}${
    isPrivate ? html` <span class="soft">private</span>` : NOTHING
  }</th><td>${release === null ? shown : html`<a href="${release}">${shown}</a>`}</td><td>${sentence}</td></tr>`;
}
