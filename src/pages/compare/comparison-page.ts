import { clip, printableLine } from "../../base/bounded-text.ts";
import { VERDICTS } from "../../judge/compare-sides.ts";
import type { ComparedJson, ComparisonJson, RunJson } from "../../judge/comparison-json.ts";
import { causeWords } from "../shell/cause-words.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { numberText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { countsOf } from "./seen-comparison.ts";
import { compareMark, compareWord } from "./verdict-words.ts";

/** What is looked for; empty for anything. */
export interface ComparisonFilter {
  readonly verdict: string;
  readonly configuration: string;
  readonly project: string;
}

export interface ComparisonFacts {
  readonly id: string;
  /** As much of it as who looks gets to see. */
  readonly comparison: ComparisonJson;
  readonly filter: ComparisonFilter;
  /** From 1. */
  readonly page: number;
}

const EACH = 100;
const MAX_SIDE_CHARS = 120;
const MAX_WHY_CHARS = 300;
const MOST_WHY = 3;
const MOST_TESTS = 20;
const CHANGES = {
  release: "a release",
  date: "the date of the index",
  image: "the image",
  interpreter: "the interpreter",
  env: "a variable of the environment",
} as const;

export function comparisonPage(facts: ComparisonFacts, context: PageContext): Page {
  const { comparison, filter, page } = facts;
  const { compared, changes, changed, endedAt, left } = comparison;
  const [a, b] = [comparison.a, comparison.b].map((side) =>
    clip(printableLine(side), MAX_SIDE_CHARS),
  );
  const all = context.site.href({ kind: "comparisons" });
  const fitting = sorted(compared.filter((one) => fits(one, filter)));
  const rows = fitting.slice((page - 1) * EACH, page * EACH);
  return {
    title: `${a} → ${b}`,
    section: null,
    main: html`<h1>${a} → ${b}</h1>
<p class="lead">${leadOf(comparison)}</p>
<dl class="facts"><dt>Changes</dt><dd>${CHANGES[changes]}${changed === null ? NOTHING : html`, of ${changed}`}; all else is the same</dd>
${endedAt === null ? NOTHING : html`<dt>Last run</dt><dd>${timeAgo(Date.parse(endedAt), context.nowMs)}</dd>`}
${left === 0 ? NOTHING : html`<dt>Left</dt><dd>${numberText(left)} did not come to an end</dd>`}</dl>
${countsTable(facts, context)}
<h2>Each of them</h2>
${formOf(facts, context)}
${rows.length === 0 ? html`<p>There is none of this kind.</p>` : tableOf(rows, context)}
${pagesOf(facts, fitting.length, context)}
${all === null ? NOTHING : html`<p><a href="${all}">Other comparisons</a></p>`}`,
  };
}

function leadOf({ compared }: ComparisonJson): string {
  const { "newly-broken": broken, fixed } = countsOf(compared);
  const results = `${numberText(compared.length)} ${compared.length === 1 ? "result" : "results"}`;
  const found = [
    broken === 0 ? "Nothing is newly broken" : `${numberText(broken)} newly broken`,
    ...(fixed === 0 ? [] : [`${numberText(fixed)} fixed`]),
  ];
  return `${found.join(", ")}, of ${results}.`;
}

function countsTable({ id, comparison, filter }: ComparisonFacts, { site }: PageContext): Html {
  const counts = countsOf(comparison.compared);
  const json = site.href({ kind: "comparison-json", id });
  const cells = VERDICTS.map((verdict) => {
    const href = site.href({
      kind: "comparison",
      id,
      parameters: { ...asked(filter), verdict },
    });
    const count = numberText(counts[verdict]);
    return html`<tr><th scope="row">${compareMark(verdict)}</th><td class="number">${href === null || counts[verdict] === 0 ? count : html`<a href="${href}">${count}<span class="visually-hidden"> ${compareWord(verdict)}</span></a>`}</td></tr>`;
  });
  return html`<table><caption class="visually-hidden">How many are of which kind</caption>
<thead><tr><th scope="col">Verdict</th><th scope="col" class="number">How many</th></tr></thead><tbody>${cells}</tbody></table>
${json === null ? NOTHING : html`<p><a href="${json}">All of it as JSON</a></p>`}`;
}

function asked(filter: ComparisonFilter): Record<string, string> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}

function fits({ verdict, project, a, b }: ComparedJson, filter: ComparisonFilter): boolean {
  const { configuration } = filter;
  return (
    (filter.verdict === "" || verdict === filter.verdict) &&
    (configuration === "" ||
      a.configuration === configuration ||
      b.configuration === configuration) &&
    project.includes(filter.project.toLowerCase())
  );
}

function sorted(compared: readonly ComparedJson[]): readonly ComparedJson[] {
  // Sorting is stable: within one verdict it is the order of the list that was compared.
  return compared.toSorted(
    (one, other) => VERDICTS.indexOf(one.verdict) - VERDICTS.indexOf(other.verdict),
  );
}

function formOf({ id, comparison, filter }: ComparisonFacts, { site }: PageContext): Html {
  const action = site.kind === "live" ? site.href({ kind: "comparison", id }) : null;
  if (action === null) return NOTHING;
  const configurations = [
    ...new Set(comparison.compared.flatMap(({ a, b }) => [a.configuration, b.configuration])),
  ].toSorted();
  const option = (value: string, words: string, chosen: string): Html =>
    value === chosen
      ? html`<option value="${value}" selected>${words}</option>`
      : html`<option value="${value}">${words}</option>`;
  return html`<form class="filter" action="${action}" method="get">
<p><label for="f-verdict">Verdict</label> <select id="f-verdict" name="verdict">${option("", "any", filter.verdict)}${VERDICTS.map((verdict) => option(verdict, compareWord(verdict), filter.verdict))}</select></p>
<p><label for="f-configuration">Configuration</label> <select id="f-configuration" name="configuration">${option("", "any", filter.configuration)}${configurations.map((name) => option(name, configurationWords(name), filter.configuration))}</select></p>
<p><label for="f-project">Project has in its name</label> <input id="f-project" name="project" maxlength="100" value="${filter.project}" autocomplete="off" spellcheck="false"></p>
<p><button>Show</button> <a href="${action}">All</a></p>
</form>`;
}

function tableOf(rows: readonly ComparedJson[], context: PageContext): Html {
  return html`<div class="frame" tabindex="0" role="region" aria-label="What was compared">
<table class="compared"><caption class="visually-hidden">What was compared, newly broken first</caption>
<thead><tr><th scope="col">Project</th><th scope="col">Verdict</th><th scope="col">On</th><th scope="col">With A</th><th scope="col">With B</th><th scope="col" class="why-of">Why</th></tr></thead>
<tbody>${rows.map((row) => rowOf(row, context))}</tbody></table></div>`;
}

function rowOf(one: ComparedJson, context: PageContext): Html {
  const { project, version, a, b, verdict, confidence, why, tests, from } = one;
  const { site } = context;
  const name = clip(printableLine(project), 100);
  const number = clip(printableLine(version), 60);
  const own = site.href({ kind: "project", project });
  const on =
    a.configuration === b.configuration
      ? configurationWords(a.configuration)
      : `${configurationWords(a.configuration)} → ${configurationWords(b.configuration)}`;
  const sure =
    confidence === "unconfirmed"
      ? NOTHING
      : html`<br><span class="soft">${clip(printableLine(confidence), 40)}</span>`;
  return html`<tr><th scope="row">${own === null ? name : html`<a href="${own}">${name}</a>`} ${number}${from === "sdist" ? html`<br><span class="soft">built from its sdist</span>` : NOTHING}</th>
<td>${compareMark(verdict)}${sure}</td><td>${on}</td>
<td>${runsOf(a.runs, "A", name, context)}</td><td>${runsOf(b.runs, "B", name, context)}</td>
<td class="breaks">${why.slice(0, MOST_WHY).map((line) => html`<p>${clip(printableLine(line), MAX_WHY_CHARS)}</p>`)}${testsOf(tests.broken, "passed with A and now", "fail")}${testsOf(tests.fixed, "failed with A and now", "pass")}</td></tr>`;
}

function runsOf(runs: readonly RunJson[], side: string, name: string, { site }: PageContext): Html {
  if (runs.length === 0) return html`<span class="soft">not run</span>`;
  return html`<ul class="plain">${runs.map(({ id, outcome, cause }, at) => {
    const href = site.href({ kind: "attempt", id });
    const words = cause === null ? outcome : `${outcome}: ${causeWords(cause).text}`;
    return html`<li>${href === null ? words : html`<a href="${href}">${words}<span class="visually-hidden"> (${name}, run ${at + 1} with ${side})</span></a>`}</li>`;
  })}</ul>`;
}

function testsOf(ids: readonly string[], words: string, now: "fail" | "pass"): Html {
  if (ids.length === 0) return NOTHING;
  const left = ids.length - MOST_TESTS;
  return html`<details><summary>${numberText(ids.length)} ${ids.length === 1 ? "test" : "tests"} ${words} ${ids.length > 1 ? now : now === "fail" ? "fails" : "passes"}</summary><ul>${ids
    .slice(0, MOST_TESTS)
    .map(
      (id) => html`<li><code>${clip(printableLine(id), 200)}</code></li>`,
    )}</ul>${left > 0 ? html`<p>And ${numberText(left)} more, in the JSON.</p>` : NOTHING}</details>`;
}

function pagesOf(
  { id, filter, page }: ComparisonFacts,
  count: number,
  { site }: PageContext,
): Html {
  const to = (number: number): string | null =>
    number < 1 || (number - 1) * EACH >= count
      ? null
      : site.href({
          kind: "comparison",
          id,
          parameters: { ...asked(filter), page: String(number) },
        });
  const [before, after] = [to(page - 1), to(page + 1)];
  if (before === null && after === null) return NOTHING;
  return html`<nav class="pages" aria-label="Pages of results">${before === null ? NOTHING : html`<a href="${before}" rel="prev">Before</a>`}${after === null ? NOTHING : html`<a href="${after}" rel="next">More</a>`}</nav>`;
}
