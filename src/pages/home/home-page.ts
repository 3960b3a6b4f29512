import { lanesTable, type CountedLane } from "../queue/lanes-table.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { liveBar } from "../shell/live.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { durationText, timeAgo } from "../shell/times.ts";
import { numberText } from "../shell/numbers.ts";
import { wellness, type Trouble } from "./troubles.ts";
import { verdictList, type NewVerdict } from "./verdict-list.ts";

/** What the first page shows: all of it narrowed to who looks. */
export interface HomeFacts {
  readonly troubles: readonly Trouble[];
  readonly lanes: readonly CountedLane[];
  readonly attempts: { readonly lastHour: number; readonly lastDay: number };
  /** From upload to first verdict, seconds, of the last day; null where there was none. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly count: number } | null;
  readonly verdicts: readonly NewVerdict[];
  /** What newly broke, newest first. */
  readonly broke: readonly NewVerdict[];
}

export function homePage(facts: HomeFacts, context: PageContext): Page {
  const { site } = context;
  const { troubles, lanes, verdicts, broke } = facts;
  const changes = site.href({ kind: "changes" });
  const queue = site.href({ kind: "queue" });
  const sentence = wellness(troubles);
  return {
    title: sentence,
    section: "home",
    scripts: ["live.js"],
    main: html`<div data-live="well" class="well">
<h1>${sentence}</h1>
<p class="lead">${paceText(facts)}</p>
${troublesOf(troubles, context)}
</div>
${liveBar(context)}
<div>
<h2>Queue</h2>
<div data-live="queue">${lanesTable(lanes, context)}</div>
${queue === null ? NOTHING : html`<p><a href="${queue}">All jobs</a></p>`}
</div>
<div>
<h2>Newly broken</h2>
<div data-live="broke" class="broke">${
      broke.length === 0
        ? html`<p>Nothing that passed before has failed yet.</p>`
        : verdictList(broke, context)
    }</div>
${changes === null ? NOTHING : html`<p><a href="${changes}">All changes of verdict</a></p>`}
</div>
<div>
<h2>Newest verdicts</h2>
<div data-live="verdicts" class="newest">${
      verdicts.length === 0 ? html`<p>There is none yet.</p>` : verdictList(verdicts, context)
    }</div>
</div>`,
  };
}

function paceText({ attempts, latency }: HomeFacts): string {
  const { lastHour, lastDay } = attempts;
  const pace = `Tested: ${numberText(lastHour)} in the last hour, ${numberText(lastDay)} in the last day.`;
  if (latency === null) return `${pace} No release had its first verdict in the last day.`;
  return `${pace} From a release's upload to its first verdict it took ${durationText(latency.p50)} for half of them, and ${durationText(latency.p90)} at most for nine in ten.`;
}

function troublesOf(troubles: readonly Trouble[], { nowMs, viewer }: PageContext): Html {
  if (troubles.length === 0) return NOTHING;
  const items = troubles.map(
    ({ text, nextStep, sinceMs }) =>
      html`<li><p>${text}${sinceMs === null ? "." : html` <span class="soft">(since ${timeAgo(sinceMs, nowMs)})</span>`}</p>${
        nextStep === null ? NOTHING : html`<p>Next: ${nextStep}.</p>`
      }</li>`,
  );
  return html`<ul class="troubles">${items}</ul>
${viewer.mayOperate ? NOTHING : html`<p class="soft">The farm tells its operator by itself.</p>`}`;
}
