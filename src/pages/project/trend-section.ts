import { barChart } from "../charts/bar-chart.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, type Html } from "../shell/html.ts";
import type { Site } from "../shell/site.ts";
import { durationText } from "../shell/times.ts";
import type { Trend, TrendPoint } from "./read-project.ts";
import { versionWords } from "./verdict-sentence.ts";

/** How many tests there were and how long all of it took, from release to release. */
export function trendSection({ configuration, points }: Trend, site: Site): Html {
  const where = configurationWords(configuration);
  const first = versionWords(points[0]?.version ?? "");
  const last = versionWords(points.at(-1)?.version ?? "");
  const tests = barChart(
    points.map((point) => ({
      label: `${versionWords(point.version)}: ${testsText(point)}`,
      value: point.tests?.collected ?? null,
      bad: failedOf(point),
    })),
    `Tests from ${first} to ${last} on ${where}: ${rangeText(points, ({ tests: counts }) => counts?.collected ?? null, String)}`,
  );
  const seconds = barChart(
    points.map((point) => ({
      label: `${versionWords(point.version)}: ${secondsText(point)}`,
      value: point.totalSeconds,
    })),
    `Time from ${first} to ${last} on ${where}: ${rangeText(points, ({ totalSeconds }) => totalSeconds, durationText)}`,
  );
  return html`<h2 id="trend">Tests and time</h2>
<p class="soft">On ${where}, the configuration with most results, ${points.length} releases.</p>
<div class="charts">
${figure("Tests collected; at the foot those that failed", tests, first, last)}
${figure("Time from start to end", seconds, first, last)}
</div>
<details><summary>The same as a table</summary>
<div class="frame" tabindex="0" role="region" aria-label="Tests and time of each release">
<table>
<caption>Newest first</caption>
<thead><tr><th scope="col">Release</th><th scope="col" class="number">Tests</th><th scope="col" class="number">Failed</th><th scope="col" class="number">Time</th></tr></thead>
<tbody>${points.toReversed().map((point) => rowOf(point, site))}</tbody>
</table>
</div>
</details>`;
}

function figure(caption: string, chart: Html, first: string, last: string): Html {
  return html`<figure><figcaption>${caption}</figcaption>${chart}<p class="ends soft" aria-hidden="true"><span>${first}</span><span>${last}</span></p></figure>`;
}

function rowOf(point: TrendPoint, site: Site): Html {
  const href = site.href({ kind: "attempt", id: point.attempt });
  const shown = versionWords(point.version);
  return html`<tr><th scope="row">${href === null ? shown : html`<a href="${href}">${shown}</a>`}</th><td class="number">${
    point.tests === null ? "none" : String(point.tests.collected)
  }</td><td class="number">${String(failedOf(point))}</td><td class="number">${secondsText(point)}</td></tr>
`;
}

function failedOf({ tests }: TrendPoint): number {
  return tests === null ? 0 : tests.failed + tests.errors;
}

function testsText(point: TrendPoint): string {
  if (point.tests === null) return "no tests";
  const { collected } = point.tests;
  return `${collected} test${collected === 1 ? "" : "s"}, ${failedOf(point)} failed`;
}

function secondsText({ totalSeconds }: TrendPoint): string {
  return totalSeconds === null ? "unknown" : durationText(totalSeconds);
}

/** `487 in the newest, 12 to 490 before`. */
function rangeText(
  points: readonly TrendPoint[],
  valueOf: (point: TrendPoint) => number | null,
  shown: (value: number) => string,
): string {
  const values = points.flatMap((point) => valueOf(point) ?? []);
  const last = values.at(-1);
  if (last === undefined) return "nothing is known";
  return `${shown(last)} in the newest, between ${shown(Math.min(...values))} and ${shown(Math.max(...values))}`;
}
