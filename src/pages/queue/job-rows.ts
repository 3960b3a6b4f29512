import { clip, printableLine } from "../../base/bounded-text.ts";
import type { JobState } from "../../queue/job.ts";
import type { NumberedView } from "../../queue/job-views.ts";
import type { JobReason } from "../../store/store.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { jobActions, mayAct } from "./job-actions.ts";

const MAX_WORD_CHARS = 120;
const MAX_NOTE_CHARS = 400;

/** As people call them. */
export const STATE_WORDS: Readonly<Record<JobState, string>> = {
  queued: "queued",
  waiting: "not yet due",
  leased: "running",
  done: "done",
  dead: "dead",
  cancelled: "cancelled",
  superseded: "superseded",
};

const REASON_WORDS: Readonly<Record<JobReason, string>> = {
  manual: "somebody asked for it",
  release: "a new release",
  push: "a push",
  retest: "tested again",
  experiment: "an experiment",
  canary: "a canary of the farm",
  blame: "to find what broke it",
  reproduce: "to reproduce another run",
  confirm: "to confirm another run",
};

/** @param isWhole whether notes are shown in all their lines, as where one looks for them. */
export function jobTable(
  jobs: readonly NumberedView[],
  forOperators: boolean,
  isWhole: boolean,
  context: PageContext,
): Html {
  const hasActions = jobs.some((job) => mayAct(job, context));
  return html`<div class="frame" tabindex="0" role="region" aria-label="Jobs">
<table class="jobs${isWhole ? " whole" : ""}"><caption class="visually-hidden">Jobs, the one that was queued last first</caption>
<thead><tr><th scope="col" class="job-of">Job</th><th scope="col" class="on-of">On</th><th scope="col" class="state-of">State</th><th scope="col" class="since-of">Queued</th><th scope="col">Why</th>${
    hasActions ? html`<th scope="col" class="act-of">Actions</th>` : NOTHING
  }</tr></thead>
<tbody>${jobs.map((job) => rowOf(job, forOperators, hasActions, context))}</tbody></table></div>`;
}

function rowOf(
  job: NumberedView,
  forOperators: boolean,
  hasActions: boolean,
  context: PageContext,
): Html {
  const { site, nowMs } = context;
  const { key, project, visibility, version, word, configuration, lane, plan } = job;
  const name = clip(printableLine(project), MAX_WORD_CHARS);
  // The name stands above it already.
  const asked =
    word === `${project}==${version}` ? version : word === project ? "its newest release" : word;
  const typed = clip(printableLine(asked), MAX_WORD_CHARS);
  const own = site.href({ kind: "project", project });
  const release = version === "" ? null : site.href({ kind: "release", project, version });
  const isPrivate = visibility === "private" ? html` <span class="soft">private</span>` : NOTHING;
  return html`<tr data-key="${key}"><th scope="row"><span class="line">${
    own === null ? name : html`<a href="${own}">${name}</a>`
  }${isPrivate}</span><span class="line soft">${release === null ? typed : html`<a href="${release}">${typed}</a>`}</span></th>
<td><span class="line">${configurationWords(configuration)}</span><span class="line soft">${lane}${plan === "smoke" ? ", smoke alone" : ""}</span></td>
<td><span class="line">${stateOf(job, context)}</span><span class="line soft">${dueText(job, forOperators)}</span></td>
<td><span class="line">${timeAgo(job.enqueuedMs, nowMs)}</span>${
    job.state === "waiting"
      ? html`<span class="line soft">due ${timeAgo(job.readyMs, nowMs)}</span>`
      : NOTHING
  }</td>
<td><span class="line">${whyText(job, forOperators)}</span>${
    forOperators && job.note !== null
      ? html`<span class="note soft">${clip(printableLine(job.note), MAX_NOTE_CHARS)}</span>`
      : NOTHING
  }</td>${hasActions ? html`<td>${jobActions(job, context)}</td>` : NOTHING}</tr>`;
}

/** Of a job that was ended from outside no attempt is kept: a link would lead nowhere. */
const WITHOUT_ATTEMPT: ReadonlySet<JobState> = new Set(["cancelled", "superseded"]);

function stateOf({ state, attempt }: NumberedView, { site }: PageContext): Html {
  const href =
    attempt === null || WITHOUT_ATTEMPT.has(state)
      ? null
      : site.href({ kind: "attempt", id: attempt });
  return href === null
    ? html`<span class="state">${STATE_WORDS[state]}</span>`
    : html`<a class="state" href="${href}">${STATE_WORDS[state]}</a>`;
}

function dueText(
  { tries, farmFaults, worker, state }: NumberedView,
  forOperators: boolean,
): string {
  return [
    ...(forOperators && worker !== null && state === "leased"
      ? [`by ${clip(printableLine(worker), 60)}`]
      : []),
    ...(tries > 1 ? [`try ${tries}`] : []),
    ...(farmFaults > 0 ? [`${farmFaults} by the farm's fault`] : []),
  ].join(", ");
}

function whyText({ reason, why }: NumberedView, forOperators: boolean): string {
  const words = REASON_WORDS[reason];
  return forOperators && why !== null
    ? `${words}: ${clip(printableLine(why), MAX_NOTE_CHARS)}`
    : words;
}
