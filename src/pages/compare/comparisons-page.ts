import { clip, printableLine } from "../../base/bounded-text.ts";
import type { CompareVerdict } from "../../judge/compare-sides.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { numberText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { compareWord } from "./verdict-words.ts";

export interface ListedComparison {
  readonly id: string;
  readonly a: string;
  readonly b: string;
  /** RFC 3339; null where it does not say. */
  readonly endedAt: string | null;
  readonly counts: Readonly<Record<CompareVerdict, number>>;
}

export interface ComparisonsFacts {
  readonly comparisons: readonly ListedComparison[];
  /** `before` of the next page; null on the last. */
  readonly next: string | null;
}

const COLUMNS = ["newly-broken", "fixed", "changed-failure", "unchanged", "incomparable"] as const;

export function comparisonsPage(
  { comparisons, next }: ComparisonsFacts,
  context: PageContext,
): Page {
  const { site } = context;
  const older =
    next === null ? null : site.href({ kind: "comparisons", parameters: { before: next } });
  return {
    title: "Comparisons",
    section: null,
    main: html`<h1>Comparisons</h1>
<p class="lead">What one change breaks: each project tested with A and with B, everything else the same.</p>
${
  comparisons.length === 0
    ? html`<p>There is none to be seen yet. <code>./creamery compare 'setuptools==82.0.0' 'setuptools==83.0.0' --projects FILE</code> makes one.</p>`
    : tableOf(comparisons, context)
}
${older === null ? NOTHING : html`<nav class="pages" aria-label="Pages of comparisons"><a href="${older}" rel="next">Older</a></nav>`}`,
  };
}

function tableOf(comparisons: readonly ListedComparison[], { site, nowMs }: PageContext): Html {
  const rows = comparisons.map(({ id, a, b, endedAt, counts }) => {
    const href = site.href({ kind: "comparison", id });
    const words = `${clip(printableLine(a), 100)} → ${clip(printableLine(b), 100)}`;
    return html`<tr><th scope="row" class="breaks">${href === null ? words : html`<a href="${href}">${words}</a>`}</th>
<td>${endedAt === null ? "" : timeAgo(Date.parse(endedAt), nowMs)}</td>${COLUMNS.map(
      (verdict) => html`<td class="number">${numberText(counts[verdict])}</td>`,
    )}</tr>`;
  });
  return html`<div class="frame" tabindex="0" role="region" aria-label="Comparisons">
<table class="comparisons"><caption class="visually-hidden">Comparisons, newest first, with how many of their results are of which kind</caption>
<thead><tr><th scope="col">A → B</th><th scope="col">When</th>${COLUMNS.map((verdict) => html`<th scope="col" class="number">${compareWord(verdict)}</th>`)}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
