import type { LeasedJob } from "../../queue/job.ts";
import { LIVE_LOG_SCRIPTS, liveLog } from "../log/live-log.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { SIGNS } from "../shell/words.ts";
import { line, REASON_WORDS } from "./texts.ts";

/** An attempt that has no result yet. */
export interface RunningAttempt {
  readonly id: string;
  readonly project: string;
  /** Empty where that is not known any more. */
  readonly configuration: string;
  /** As its job names it; null for what no queue knows of. */
  readonly job: Pick<LeasedJob, "version" | "reason"> | null;
  /** Ms since 1970; null where that is not known. */
  readonly sinceMs: number | null;
  /** It has come to its end, and what came of it is being kept, or was thrown away with its job. */
  readonly hasEnded: boolean;
}

/** That it runs, since when, and how to hear of its end. */
export function runningPage(running: RunningAttempt, context: PageContext): Page {
  const { id, project, configuration, job, sinceMs, hasEnded } = running;
  const { site, nowMs } = context;
  const release = line(`${project} ${job?.version ?? ""}`.trim(), 200);
  const what =
    configuration === "" ? release : `${release} on ${configurationWords(configuration)}`;
  const own = site.href({ kind: "attempt", id }) ?? "";
  const projectPlace = site.href({ kind: "project", project });
  const since = sinceMs === null ? NOTHING : html`, since ${timeAgo(sinceMs, nowMs)}`;
  return {
    title: `${what}: attempt ${id}`,
    section: null,
    scripts: LIVE_LOG_SCRIPTS,
    main: html`<h1>${what}</h1>
${hasEnded ? NOTHING : html`<p class="lead" data-until-end>${markOf("running")} ${release} is being tested on ${configurationWords(configuration)}${since}: there is no verdict yet.</p>`}
<p class="lead" data-from-end${hasEnded ? NOTHING : html` hidden`}>${markOf("ended")} ${what} has come to its end: what came of it is being kept, unless its job was cancelled.</p>
<dl class="facts">
${projectPlace === null ? NOTHING : html`<dt>Project</dt><dd><a href="${projectPlace}">${line(project, 200)}</a></dd>`}
<dt>Attempt</dt><dd><code>${id}</code></dd>
${job === null ? NOTHING : html`<dt>Why</dt><dd>${REASON_WORDS[job.reason]}</dd>`}
</dl>
${hasEnded ? html`<p><a href="${own}">Load this page again</a> to see what came of it.</p>` : NOTHING}
<h2>Log</h2>
${liveLog(id, context)}`,
  };
}

function markOf(word: string): Html {
  return html`<span class="verdict v-waiting"><span aria-hidden="true">${SIGNS.waiting}</span> ${word}</span>`;
}
