import { releaseOf } from "../../model/attempt-words.ts";
import { foundInLog, LOG_SCRIPTS, logPanel } from "../log/log-panel.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { DOWNLOADS, type Download } from "../shell/place.ts";
import { durationText, timeAgo } from "../shell/times.ts";
import { verdictMark } from "../shell/words.ts";
import { changesSection } from "./changes-section.ts";
import { evidenceSection } from "./evidence-section.ts";
import { againSection, inputsSection } from "./inputs-section.ts";
import { phasesOf, phasesSection } from "./phases.ts";
import type { ReadAttempt } from "./read-attempt.ts";
import { failingSection, testsHref, testsSection } from "./tests-section.ts";
import { comparedWords, line, MACHINE_WORDS, REASON_WORDS } from "./texts.ts";
import { lookOfAttempt, verdictSentence } from "./verdict-sentence.ts";

/** What came of one attempt: a sentence, the facts, what failed and why, what changed, and then all evidence. */
export function attemptPage(read: ReadAttempt, context: PageContext): Page {
  const { attempt } = read.stored;
  const { firstLines } = attempt.evidence;
  const title = `${line(releaseOf(attempt), 200)} on ${configurationWords(attempt.configuration)}`;
  return {
    title: `${title}: attempt ${attempt.id}`,
    section: null,
    scripts: LOG_SCRIPTS,
    main: html`<h1>${title}</h1>
<p class="lead">${verdictMark(lookOfAttempt(attempt))} ${verdictSentence(attempt)}</p>
${factsOf(read, context)}
${contentsOf(read)}
${
  firstLines.length === 0
    ? NOTHING
    : html`<h2 id="lines">The lines of the log that matter</h2>
<pre class="said">${firstLines.map((text, index) => html`${index === 0 ? "" : "\n"}${line(text, 2000)}`)}</pre>
${read.log === null || read.log === "unread" ? NOTHING : foundInLog(attempt.id, firstLines, context)}`
}
${failingSection(read, allFailing(read, context))}
${changesSection(read, context)}
${phasesSection(attempt.seconds)}
${logSection(read, context)}
${evidenceSection(attempt)}
${inputsSection(read, context)}
${againSection(read, context)}
${testsSection(read, context)}`,
  };
}

function factsOf({ stored, log, lock, baseline }: ReadAttempt, { site, nowMs }: PageContext): Html {
  const { attempt, startedAt, reason, visibility } = stored;
  const { project, version } = attempt;
  const projectHref = site.href({ kind: "project", project });
  const releaseHref = version === "" ? null : site.href({ kind: "release", project, version });
  const locks = lock !== null;
  const kept: Partial<Record<Download, boolean>> = {
    "log.txt": log !== null,
    "pylock.toml": locks,
    "pylock.build.toml": locks && attempt.evidence.buildLock !== undefined,
  };
  const downloads = DOWNLOADS.filter((what) => kept[what] ?? true).flatMap((what) => {
    const href = site.href({ kind: "download", id: attempt.id, what });
    return href === null ? [] : [html`<li><a href="${href}">${what}</a></li>`];
  });
  const { tests, seconds, comparison } = attempt;
  const total = seconds["total"];
  return html`<dl class="facts">
<dt>Release</dt><dd>${linked(projectHref, project)} ${linked(releaseHref, version)}${visibility === "private" ? " (private)" : ""}</dd>
<dt>Decided in</dt><dd>phase ${attempt.phase}${attempt.cause === null ? NOTHING : html`, cause <code>${line(attempt.cause, 200)}</code>`}</dd>
${comparison === null ? NOTHING : html`<dt>Since before</dt><dd>${comparedWords(comparison, baseline !== null)}${baseline === null ? NOTHING : html` (<a href="#changes">what changed</a>)`}</dd>`}
<dt>Tests</dt><dd>${tests === null ? "none ran" : countsText(tests)}</dd>
<dt>Installed</dt><dd>${attempt.installed === null ? "nothing" : attempt.installed === "wheel" ? "the wheel as it was published or given" : "a wheel built here from the source"}${attempt.smoke === null ? "" : attempt.smoke === "pass" ? "; it imports and its scripts answer (smoke)" : "; not all of it imports or answers (smoke)"}</dd>
<dt>Ran</dt><dd>${timeAgo(Date.parse(startedAt), nowMs)}${total === undefined ? "" : ` for ${durationText(total)}`} in ${MACHINE_WORDS[attempt.machine]}</dd>
<dt>Why</dt><dd>${REASON_WORDS[reason]}${attempt.why === undefined ? "" : `: ${line(attempt.why, 300)}`}</dd>
${downloads.length === 0 ? NOTHING : html`<dt>As files</dt><dd><ul class="inline">${downloads}</ul></dd>`}
</dl>`;
}

function linked(href: string | null, text: string): Html {
  return href === null ? html`${line(text, 200)}` : html`<a href="${href}">${line(text, 200)}</a>`;
}

function countsText(tests: NonNullable<ReadAttempt["stored"]["attempt"]["tests"]>): string {
  const { collected, passed, failed, errors, skipped, deselected } = tests;
  const expected = collected - passed - failed - errors - skipped;
  const parts = [
    [failed, "failed"],
    [errors, errors === 1 ? "error" : "errors"],
    [passed, "passed"],
    [skipped, "skipped"],
    [expected, "failed as expected, or passed unexpectedly"],
    [deselected, "left out"],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count.toLocaleString("en")} ${what}`)
    .join(", ");
}

/** Where on the page things are. */
function contentsOf(read: ReadAttempt): Html {
  const { attempt } = read.stored;
  const { evidence } = attempt;
  const parts = [
    [evidence.firstLines.length > 0, "lines", "Lines that matter"],
    [read.collectionErrors.length > 0, "collection", "Not collected"],
    [evidence.failing.length > 0, "failing", "Failing tests"],
    [true, "changes", "What changed"],
    [phasesOf(attempt.seconds).length > 0, "time", "Time"],
    [true, "log", "Log"],
    [true, "evidence", "Evidence"],
    [true, "inputs", "Inputs"],
    [true, "again", "Again"],
    [true, "tests", "All tests"],
  ] as const;
  return html`<nav class="contents" aria-label="On this page"><ul>${parts
    .filter(([isThere]) => isThere)
    .map(([, fragment, text]) => html`<li><a href="#${fragment}">${text}</a></li>`)}</ul></nav>`;
}

function allFailing({ stored, origin, tests }: ReadAttempt, { site }: PageContext): Html {
  const { attempt } = stored;
  const bad = (attempt.tests?.failed ?? 0) + (attempt.tests?.errors ?? 0);
  if (bad <= attempt.evidence.failing.length) return NOTHING;
  if (origin === "store" && tests.found === 0) return NOTHING;
  const href = testsHref(site, attempt.id, { text: "", outcome: "failed", page: 1 });
  if (href === null) return NOTHING;
  return html`; <a href="${href}">see all ${bad.toLocaleString("en")}</a>`;
}

function logSection({ stored, log }: ReadAttempt, context: PageContext): Html {
  if (log === null) return html`<h2 id="log">Log</h2><p>No log of it is kept (any more).</p>`;
  if (log !== "unread") return html`<h2 id="log">Log</h2>${logPanel(log, context)}`;
  const file = context.site.href({ kind: "download", id: stored.attempt.id, what: "log.txt" });
  return html`<h2 id="log">Log</h2><p>The log can't be read at present${file === null ? NOTHING : html`: try <a href="${file}">log.txt</a> later`}.</p>`;
}
