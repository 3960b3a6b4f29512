import { JOB_STATES, LANES } from "../../queue/job.ts";
import type { NumberedView } from "../../queue/job-views.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { liveBar } from "../shell/live.ts";
import { numberText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { queueActions } from "./job-actions.ts";
import { jobTable, STATE_WORDS } from "./job-rows.ts";
import { lanesTable, type CountedLane } from "./lanes-table.ts";

/** What is looked for, as it was typed; empty for anything. */
export interface QueueFilter {
  readonly project: string;
  readonly configuration: string;
  readonly state: string;
  readonly lane: string;
}

/** What of the queue who looks gets to see. */
export interface QueueFacts {
  readonly lanes: readonly CountedLane[];
  readonly busiest: readonly { readonly project: string; readonly jobs: number }[];
  readonly jobs: readonly NumberedView[];
  /** `cursor` of the next page; null on the last. */
  readonly next: string | null;
  /** Whether this is not the first page. */
  readonly isLater: boolean;
  readonly filter: QueueFilter;
  /** That one can choose from. */
  readonly configurations: readonly string[];
  readonly forOperators: boolean;
}

const MOST_BUSY = 8;
/** Of what is looked for because of its note, that is shown whole. */
const NOTED: ReadonlySet<string> = new Set(["dead", "cancelled", "superseded"]);

export function queuePage(facts: QueueFacts, context: PageContext): Page {
  const { lanes, jobs, filter, forOperators } = facts;
  const open = lanes.filter(({ state }) => state !== "dead");
  const count = open.reduce((sum, one) => sum + one.count, 0);
  const running = open.reduce((sum, one) => sum + (one.state === "leased" ? one.count : 0), 0);
  return {
    title: "Queue",
    section: "queue",
    scripts: ["live.js"],
    main: html`<h1>Queue</h1>
<p class="lead" data-live="lead">${leadText(count, running)}</p>
${queueActions(context)}${liveBar(context)}
<div class="queue-top">
<div><h2>Lanes</h2>
<div data-live="lanes">${lanesTable(lanes, context)}</div></div>
<div><h2>Busiest projects</h2>
<div data-live="busiest" class="busiest">${busiestOf(facts, context)}</div></div>
</div>
<div><h2>Jobs</h2>
${formOf(facts, context)}
<div data-live="jobs">${
      jobs.length === 0
        ? html`<p>${facts.next === null ? "There is none of this kind." : "None of this kind is among these: look at older ones."}</p>`
        : jobTable(jobs, forOperators, NOTED.has(filter.state), context)
    }
${pagesOf(facts, context)}</div></div>`,
  };
}

function leadText(count: number, running: number): string {
  if (count === 0) return "Nothing is queued.";
  if (count === 1) return `1 job is to be done${running === 0 ? "" : ", and runs now"}.`;
  return `${numberText(count)} jobs are to be done; ${running === 0 ? "none" : numberText(running)} of them ${running < 2 ? "runs" : "run"} now.`;
}

function busiestOf({ busiest }: QueueFacts, { site }: PageContext): Html {
  if (busiest.length === 0) return html`<p>None.</p>`;
  const items = busiest.slice(0, MOST_BUSY).map(({ project, jobs }) => {
    const href = site.href({ kind: "queue", parameters: { project } });
    return html`<li><span class="line">${href === null ? project : html`<a href="${href}">${project}</a>`}</span> <span class="number">${numberText(jobs)}</span></li>`;
  });
  return html`<ol>${items}</ol>`;
}

function formOf({ filter, configurations }: QueueFacts, { site }: PageContext): Html {
  const known = configurations.includes(filter.configuration) || filter.configuration === "";
  const choices = known ? configurations : [...configurations, filter.configuration];
  const queue = site.href({ kind: "queue" });
  if (queue === null) return NOTHING;
  const isFiltered = Object.values(filter).some((value) => value !== "");
  return html`<form class="filter" action="${queue}" method="get">
<p><label for="f-project">Project</label> <input id="f-project" name="project" maxlength="200" value="${filter.project}" autocomplete="off" spellcheck="false"></p>
<p><label for="f-configuration">Configuration</label> ${choiceOf("configuration", filter.configuration, choices, configurationWords)}</p>
<p><label for="f-state">State</label> ${choiceOf("state", filter.state, JOB_STATES, (state) => STATE_WORDS[state])}</p>
<p><label for="f-lane">Lane</label> ${choiceOf("lane", filter.lane, LANES, (lane) => lane)}</p>
<p><button>Show</button>${isFiltered ? html` <a href="${queue}">All</a>` : NOTHING}</p>
</form>`;
}

function choiceOf<Value extends string>(
  name: string,
  chosen: string,
  values: readonly Value[],
  wordsOf: (value: Value) => string,
): Html {
  const option = (value: string, words: string): Html =>
    value === chosen
      ? html`<option value="${value}" selected>${words}</option>`
      : html`<option value="${value}">${words}</option>`;
  return html`<select id="f-${name}" name="${name}">${option("", "any")}${values.map((value) => option(value, wordsOf(value)))}</select>`;
}

function pagesOf({ filter, next, isLater }: QueueFacts, { site }: PageContext): Html {
  const asked = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
  const first = isLater ? site.href({ kind: "queue", parameters: asked }) : null;
  const older =
    next === null ? null : site.href({ kind: "queue", parameters: { ...asked, cursor: next } });
  if (first === null && older === null) return NOTHING;
  return html`<nav class="pages" aria-label="Pages of jobs">${first === null ? NOTHING : html`<a href="${first}">Newest</a>`}${older === null ? NOTHING : html`<a href="${older}" rel="next">Older</a>`}</nav>`;
}
