import { clip, printableLine } from "../../base/bounded-text.ts";
import { causeWords } from "../../model/cause-words.ts";
import { compareConfigurations } from "../../model/configuration-name.ts";
import { parseCause } from "../../model/result-words.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { durationText } from "../shell/times.ts";
import { lookOf, verdictMark, type Look } from "../shell/words.ts";

/** What could not even begin, a line each: `lmdb on cpython-3.16: …`. */
export interface RunFacts {
  /** In the order in which they were asked for. */
  readonly attempts: readonly StoredAttempt[];
  readonly missing: readonly string[];
}

const SOUND: ReadonlySet<Look> = new Set(["pass", "skip"]);

/** The first page of one run: what was tested, on what, and what came of it. */
export function runPage({ attempts, missing }: RunFacts, context: PageContext): Page {
  const sentence = runSentence(attempts);
  const configurations = [
    ...new Set(attempts.map(({ attempt }) => attempt.configuration)),
  ].toSorted(compareConfigurations);
  const unsound = attempts.filter((one) => !SOUND.has(lookOfStored(one)));
  return {
    title: sentence,
    section: "home",
    main: html`<h1>${sentence}</h1>
${attempts.length === 0 ? NOTHING : runTable(attempts, configurations, context)}
${missing.length === 0 ? NOTHING : html`<h2>Could not begin</h2><ul>${missing.map((line) => html`<li>${clip(printableLine(line), 500)}</li>`)}</ul>`}
${unsound.length === 0 ? NOTHING : html`<h2>What did not pass</h2>${unsound.map((one) => unsoundPart(one, context))}`}`,
  };
}

function runSentence(attempts: readonly StoredAttempt[]): string {
  if (attempts.length === 0) return "Nothing came to its end";
  const sound = attempts.filter((one) => SOUND.has(lookOfStored(one))).length;
  const passed = attempts.filter((one) => lookOfStored(one) === "pass").length;
  const of = `${attempts.length} ${attempts.length === 1 ? "attempt" : "attempts"}`;
  if (passed === attempts.length) return attempts.length === 1 ? "It passes" : `All ${of} pass`;
  if (sound === attempts.length) return `${passed} of ${of} pass, the others were skipped`;
  return `${sound} of ${of} pass or were skipped, ${attempts.length - sound} did not`;
}

function lookOfStored({ attempt: { outcome, cause } }: StoredAttempt): Look {
  return lookOf(outcome, cause === null ? null : (parseCause(cause)?.kind ?? null));
}

function runTable(
  attempts: readonly StoredAttempt[],
  configurations: readonly string[],
  context: PageContext,
): Html {
  const rows = Map.groupBy(attempts, ({ attempt: { project, version } }) =>
    JSON.stringify([project, version]),
  );
  return html`<div class="frame" tabindex="0" role="region" aria-label="Verdicts"><table>
<caption class="visually-hidden">What was tested, and the verdict on each configuration</caption>
<thead><tr><th scope="col">Tested</th>${configurations.map((name) => html`<th scope="col">${configurationWords(name)}</th>`)}</tr></thead>
<tbody>${[...rows.values()].map((own) => runRow(own, configurations, context))}</tbody></table></div>`;
}

function runRow(
  own: readonly StoredAttempt[],
  configurations: readonly string[],
  context: PageContext,
): Html {
  const [first] = own;
  if (first === undefined) return NOTHING;
  return html`<tr><th scope="row">${subjectOf(first, context)}</th>${configurations.map(
    (name) =>
      html`<td>${own
        .filter(({ attempt }) => attempt.configuration === name)
        .map((one) => html`${markOf(one, context)} `)}</td>`,
  )}</tr>`;
}

function subjectOf({ attempt: { project, version } }: StoredAttempt, { site }: PageContext): Html {
  const name = clip(printableLine(project), 100);
  const shown = clip(printableLine(version), 60);
  const own = site.href({ kind: "project", project });
  const release = version === "" ? null : site.href({ kind: "release", project, version });
  return html`${own === null ? name : html`<a href="${own}">${name}</a>`} ${
    release === null ? shown : html`<a href="${release}">${shown}</a>`
  }`;
}

function markOf(one: StoredAttempt, { site }: PageContext): Html {
  const href = site.href({ kind: "attempt", id: one.attempt.id });
  const mark = verdictMark(lookOfStored(one));
  return href === null ? mark : html`<a href="${href}">${mark}</a>`;
}

function unsoundPart(one: StoredAttempt, context: PageContext): Html {
  const { project, version, configuration, cause, evidence, seconds } = one.attempt;
  const name = [project, version].map((text) => clip(printableLine(text), 100)).join(" ");
  const total = seconds["total"];
  return html`<h3>${name} on ${configurationWords(configuration)}</h3>
<p>${markOf(one, context)} ${cause === null ? NOTHING : causeWords(cause).text}${total === undefined ? NOTHING : html` <span class="soft">after ${durationText(total)}</span>`}</p>
${
  evidence.firstLines.length === 0
    ? NOTHING
    : html`<div class="frame" tabindex="0" role="region" aria-label="Log of ${name} on ${configurationWords(configuration)}"><pre>${evidence.firstLines.map((line) => `${clip(printableLine(line), 500)}\n`)}</pre></div>`
}`;
}
