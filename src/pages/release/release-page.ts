import { causeWords } from "../shell/cause-words.ts";
import type { Comparison, Confidence } from "../../model/attempt.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { parseConfidence } from "../../model/result-words.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { reasonOf } from "../project/project-page.ts";
import { versionWords } from "../project/verdict-sentence.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import type { Site } from "../shell/site.ts";
import { durationText, timeAgo } from "../shell/times.ts";
import { lookOf, verdictMark } from "../shell/words.ts";
import { failingCauses, type FailingCause } from "./causes.ts";
import type { ReleaseView } from "./read-release.ts";

const COMPARISONS: Readonly<Record<Comparison, string>> = {
  "new-fail": "newly broken",
  fixed: "fixed",
  "still-fail": "broken as before",
  "still-pass": "passes as before",
  "changed-cause": "broken for another cause",
  new: "nothing to compare with",
  removed: "gone",
  incomparable: "not comparable",
};

/** How one release stands: a sentence, then each configuration, then what was said where it fails. */
export function releasePage(view: ReleaseView, context: PageContext): Page {
  const { project, version, attempts, words } = view;
  const { site } = context;
  const shown = versionWords(version);
  const home = site.href({ kind: "project", project: project.name });
  const feed = site.href({ kind: "feed", project: project.name });
  const name = home === null ? project.name : html`<a href="${home}">${project.name}</a>`;
  return {
    title: `${project.name} ${shown}`,
    section: null,
    ...(feed === null
      ? {}
      : { feed: { href: feed, title: `Changes of verdict of ${project.name}` } }),
    main: html`<h1>${name} ${shown}${
      project.visibility === "private" ? html` <span class="soft">private</span>` : NOTHING
    }</h1>
<p class="lead">${words.main}</p>
${view.pending === 0 ? NOTHING : html`<p>It waits or runs on ${view.pending} configuration${view.pending === 1 ? "" : "s"}.</p>`}
${words.notes.length === 0 ? NOTHING : html`<p>${words.notes.join(" ")}</p>`}
${withdrawalOf(view)}
${view.isPush && version !== shown ? html`<p class="soft">Commit <code>${version}</code></p>` : NOTHING}
${neighbours(view, site)}
${attempts.length === 0 ? NOTHING : tableOf(view, context)}
${evidenceOf(failingCauses(attempts), site)}`,
  };
}

function withdrawalOf({ withdrawal }: ReleaseView): Html {
  if (withdrawal === null) return NOTHING;
  const { state, reason, isWhole } = withdrawal;
  return html`<p><strong>${isWhole ? "The whole project" : "This release"} was ${state} on its index</strong>${reasonOf(reason)}.</p>`;
}

function neighbours({ project, newer, older }: ReleaseView, site: Site): Html {
  const link = (version: string | null, text: string): Html => {
    const href =
      version === null ? null : site.href({ kind: "release", project: project.name, version });
    return version === null || href === null
      ? NOTHING
      : html`<li>${text} <a href="${href}">${versionWords(version)}</a></li>`;
  };
  if (newer === null && older === null) return NOTHING;
  return html`<nav aria-label="Releases beside this one"><ul class="beside">${link(older, "Before it:")}${link(newer, "After it:")}</ul></nav>`;
}

function tableOf({ project, version, attempts }: ReleaseView, context: PageContext): Html {
  const caption = `How ${project.name} ${versionWords(version)} stands on each configuration`;
  return html`<h2>Configurations</h2>
<div class="frame" tabindex="0" role="region" aria-label="${caption}">
<table class="release">
<caption class="visually-hidden">${caption}</caption>
<thead><tr><th scope="col">Configuration</th><th scope="col">Verdict</th><th scope="col">Why</th><th scope="col" class="number">Passed</th><th scope="col" class="number">Failed</th><th scope="col" class="number">Skipped</th><th scope="col" class="number">Time</th><th scope="col">Compared</th><th scope="col">When</th></tr></thead>
<tbody>${attempts.map((stored) => rowOf(stored, context))}</tbody>
</table>
</div>`;
}

function rowOf({ attempt, startedAt }: StoredAttempt, { site, nowMs }: PageContext): Html {
  const { tests, seconds, comparison } = attempt;
  const href = site.href({ kind: "attempt", id: attempt.id });
  const mark = verdictMark(lookOf(attempt.outcome, attempt.cause));
  const name = configurationWords(attempt.configuration);
  const count = (value: number | undefined) =>
    html`<td class="number">${value === undefined ? "" : String(value)}</td>`;
  return html`<tr><th scope="row">${href === null ? name : html`<a href="${href}">${name}</a>`}</th><td>${mark}</td><td class="why">${whyOf(attempt)}</td>${count(tests?.passed)}${count(tests === null ? undefined : tests.failed + tests.errors)}${count(tests?.skipped)}<td class="number">${durationText(seconds["total"] ?? 0)}</td><td>${comparison === null ? "" : COMPARISONS[comparison]}</td><td>${timeAgo(Date.parse(startedAt), nowMs)}</td></tr>
`;
}

/** The cause, who must act, and how sure that is. */
function whyOf({ cause, confidence, outcome }: AttemptJson): Html {
  if (cause === null) return NOTHING;
  const { text, who } = causeWords(cause);
  // Of what was skipped there is nothing to mend.
  const notes = [
    ...(outcome === "skip" ? [] : [`for ${who} to mend`]),
    ...sureness(parseConfidence(confidence)),
  ];
  return html`${text} ${notes.length === 0 ? NOTHING : html`<span class="soft">(${notes.join("; ")})</span>`}`;
}

function sureness(confidence: Confidence | null): readonly string[] {
  switch (confidence?.kind) {
    case "confirmed":
      return [`${confidence.agreed} of ${confidence.runs} runs agree`];
    case "flaky":
      return ["flaky"];
    case "unconfirmed":
      return ["not confirmed yet"];
    case "inferred":
      return ["concluded without a run"];
    case undefined:
      return [];
  }
}

function evidenceOf(causes: readonly FailingCause[], site: Site): Html {
  if (causes.length === 0) return NOTHING;
  return html`<h2>What was said</h2>
${causes.map((cause) => evidenceSection(cause, site))}`;
}

function evidenceSection(found: FailingCause, site: Site): Html {
  const { cause, configurations, attempt, shownOn, lines, failing } = found;
  const { text } = causeWords(cause === "" ? "no cause is known" : cause);
  const href = site.href({ kind: "attempt", id: attempt });
  const where = configurations.map(configurationWords);
  const others = failing.map((id) => html`<li><code>${id}</code></li>`);
  return html`<section>
<h3>${capital(text)}</h3>
<p class="soft">${where.join(", ")}${cause === "" ? NOTHING : html` · <code>${cause}</code>`}</p>
${lines.length === 0 ? html`<p>Its log has no lines that say why.</p>` : html`<pre class="wrapped">${lines.join("\n")}</pre>`}
${others.length === 0 ? NOTHING : html`<p class="soft">The first tests that did not pass:</p><ul>${others}</ul>`}
${href === null ? NOTHING : html`<p><a href="${href}">All of it, on ${configurationWords(shownOn)}</a></p>`}
</section>
`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
