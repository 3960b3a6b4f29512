import type { Coverage, CoverageState } from "../../store/sql/coverage.ts";
import type { ErrorFigures } from "../../store/sql/error-figures.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { numberText, shareText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { durationText } from "../shell/times.ts";

/** What the farm says of itself, as far as who looks gets to see what it is made of. */
export interface AboutFacts {
  /** Seconds from upload to first verdict, of the last day; null where there was none. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly count: number } | null;
  /** Of the last seven days. */
  readonly coverage: Pick<Coverage, "seen" | "states">;
  readonly errors: ErrorFigures;
  readonly version: string;
  /** That tests run on; null where there is none yet. */
  readonly image: string | null;
}

const COVERAGE_WORDS: readonly (readonly [state: CoverageState, words: string])[] = [
  ["full", "tested, with a verdict on one configuration at least"],
  ["smoke-only", "installed and imported, no tests looked for"],
  ["waiting", "still to be tested"],
  ["superseded", "a newer release came first"],
  ["withdrawn", "withdrawn by whoever published it"],
  ["not-admitted", "left out, for want of time"],
  ["no-verdict", "tried, and came to no verdict"],
];

export function aboutPage(facts: AboutFacts, context: PageContext): Page {
  return {
    title: "About",
    section: "about",
    main: html`<h1>About this farm</h1>
<p class="lead">Creamery installs each new release of Python packages on each interpreter, runs the tests that come with it, and says what broke, since when, and whose it is to mend.</p>
<h2>What it promises</h2>
<ul class="prose">
<li>Each attempt runs in a machine of its own that is made for it and destroyed after it; it reaches the farm's own package index and nothing else.</li>
<li>A pass is exit 0 and a whole report in which tests ran and none failed. What is missing, cut or contradicts itself is never one.</li>
<li>What fails is run again before it is believed, elsewhere where that is possible. How sure it is stands beside each verdict.</li>
<li>What the farm itself did wrong is never shown as anybody's failure: it says "no verdict", and is tried again.</li>
<li>A change is called a regression only where nothing else moved: another image, lock or plan makes two results incomparable.</li>
<li>Each result says which image, interpreter, index date and plan it came from, and gives the one command that reproduces it.</li>
</ul>
<h2>What it does not</h2>
<ul class="prose">
<li>It does not test everything: the table below says what was left out. Where a release comes without tests, all that is known is whether it installs and imports.</li>
<li>A package can lie about itself: its tests are its own. A pass says that they pass here, not that they are any good.</li>
<li>It has no network, GPU, display or services for tests: what needs one is told by that name.</li>
</ul>
<h2>Its own figures</h2>
${latencyOf(facts)}
${errorsOf(facts.errors)}
${coverageOf(facts.coverage)}
<h2>Use what it finds</h2>
${linksOf(context)}
<h2>Versions</h2>
<dl class="facts"><dt>Creamery</dt><dd>${facts.version}</dd><dt>Image</dt><dd>${imageOf(facts.image, context)}</dd></dl>`,
  };
}

function latencyOf({ latency }: AboutFacts): Html {
  return html`<h3>How long it takes</h3>
<p class="prose">${
    latency === null
      ? "No release had its first verdict in the last day."
      : html`From a release's upload, as its index tells it, to the first verdict: <strong>${durationText(latency.p50)}</strong> for half of them, <strong>${durationText(latency.p90)}</strong> at most for nine in ten (${numberText(latency.count)} ${latency.count === 1 ? "release" : "releases"} of the last day).`
  }</p>`;
}

function errorsOf({ attempts, farmFaults, machineDifferences, failures }: ErrorFigures): Html {
  const row = (words: string, count: number, whole: number): Html =>
    html`<tr><th scope="row">${words}</th><td class="number">${numberText(count)}</td><td class="number">${shareText(count, whole)}</td></tr>`;
  const head = html`<thead><tr><th scope="col">What</th><th scope="col" class="number">How many</th><th scope="col" class="number">Share</th></tr></thead>`;
  return html`<h3>How often it is wrong, or not sure</h3>
<p class="prose">Of the newest attempts. A farm's fault costs time, not truth. A failure that did not repeat is "flaky": mostly the tests' own doing, sometimes the farm's. "Unconfirmed" was seen once only, and may be either.</p>
<div class="frame" tabindex="0" role="region" aria-label="The farm's own faults">
<table class="figures"><caption>Of ${numberText(attempts)} attempts</caption>${head}
<tbody>${row("The farm failed", farmFaults, attempts)}${row("Machines differ, for the farm to explain", machineDifferences, attempts)}</tbody></table></div>
<div class="frame" tabindex="0" role="region" aria-label="How sure failures are">
<table class="figures"><caption>Of ${numberText(failures.all)} failures, crashes and hangs</caption>${head}
<tbody>${row("Confirmed by another run", failures.confirmed, failures.all)}${row("Flaky", failures.flaky, failures.all)}${row("Unconfirmed", failures.unconfirmed, failures.all)}${row("Concluded without running", failures.inferred, failures.all)}</tbody></table></div>`;
}

function coverageOf({ seen, states }: AboutFacts["coverage"]): Html {
  const rows = COVERAGE_WORDS.map(
    ([state, words]) =>
      html`<tr><th scope="row">${words}</th><td class="number">${numberText(states[state])}</td><td class="number">${shareText(states[state], seen)}</td></tr>`,
  );
  return html`<h3>What it covers</h3>
<div class="frame" tabindex="0" role="region" aria-label="What became of releases">
<table class="figures"><caption>What became of ${numberText(seen)} ${seen === 1 ? "release that was" : "releases that were"} seen in the last 7 days</caption>
<thead><tr><th scope="col">Release</th><th scope="col" class="number">How many</th><th scope="col" class="number">Share</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function linksOf({ site }: PageContext): Html {
  const comparisons = site.href({ kind: "comparisons" });
  const images = site.href({ kind: "images" });
  if (site.kind !== "live") return html`<p>These pages are files: they belong to one run.</p>`;
  return html`<ul>
<li><a href="/api/v1/docs">The API</a>: all that is shown here, for programs, with live events</li>
<li><a href="/api/v1/export/results.sqlite">All public results</a> in one SQLite file, made each night</li>
<li>Feeds of a project's changes, badges and a matrix as a picture: on the project's own page</li>
${comparisons === null ? NOTHING : html`<li><a href="${comparisons}">Comparisons</a>: what one change breaks</li>`}
${images === null ? NOTHING : html`<li><a href="${images}">Images</a>: what tests run on</li>`}
</ul>`;
}

function imageOf(image: string | null, { site }: PageContext): Html {
  if (image === null) return html`none yet`;
  const href = site.href({ kind: "images" });
  return href === null ? html`${image}` : html`<a href="${href}">${image}</a>`;
}
