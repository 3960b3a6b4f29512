import { configurationParts, configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Site } from "../shell/site.ts";
import { LOOKS, SIGNS, wordOf, type Look } from "../shell/words.ts";
import { badEdges, beginnings, verdictOf, type Matrix, type MatrixRow } from "./matrix.ts";
import { versionWords } from "./verdict-sentence.ts";

export interface MatrixTable {
  readonly project: string;
  readonly matrix: Matrix;
  /** Of what is in the rows: `Release`. */
  readonly rowHead: string;
  /** What it shows, for a person. */
  readonly caption: string;
  /** Of versions that were withdrawn, what they are: `yanked`. */
  readonly marks: ReadonlyMap<string, string>;
}

/** Versions x configurations: a sign for each newest attempt, and where what is broken begins. */
export function matrixTable(table: MatrixTable, site: Site): Html {
  const { matrix, rowHead, caption } = table;
  const began = beginnings(matrix);
  const words = matrix.configurations.map(configurationWords);
  const rows = matrix.rows.map((row, at) => rowOf(table, row, at, { began, words, site }));
  return html`<div class="frame matrix" tabindex="0" role="region" aria-label="${caption}">
<table>
<caption class="visually-hidden">${caption}</caption>
<thead>
<tr><td class="corner"></td>${implementationHeads(matrix.configurations)}</tr>
<tr><th scope="col" class="corner">${rowHead}</th>${matrix.configurations.map(
    (name, at) =>
      html`<th scope="col"><abbr title="${words[at] ?? ""}">${configurationParts(name).version}</abbr></th>`,
  )}</tr>
</thead>
<tbody>
${rows}</tbody>
</table>
</div>`;
}

/** What the signs in a matrix mean, of those that are in it. */
export function legendOf(matrices: readonly Matrix[]): Html {
  const seen = new Set(
    matrices.flatMap(({ rows }) =>
      rows.flatMap(({ cells }) => [...cells.values()].map(({ look }) => look)),
    ),
  );
  const isBegun = matrices.some((matrix) => beginnings(matrix).size > 0);
  return html`<ul class="legend">${LOOKS.filter((look) => seen.has(look)).map(
    (look) =>
      html`<li><span class="sign v-${look}" aria-hidden="true">${SIGNS[look]}</span> ${wordOf(look)}${
        look === "farm" ? html`: the farm's own, never the package's` : NOTHING
      }</li>`,
  )}${
    isBegun
      ? html`<li><span class="sign v-fail began" aria-hidden="true">${SIGNS.fail}</span> what passed before does not since here</li>`
      : NOTHING
  }<li><span class="sign none" aria-hidden="true"></span> not tested</li></ul>`;
}

interface RowContext {
  readonly began: ReadonlyMap<string, string>;
  readonly words: readonly string[];
  readonly site: Site;
}

function rowOf(table: MatrixTable, row: MatrixRow, at: number, context: RowContext): Html {
  const { matrix, project, marks } = table;
  const { began, words, site } = context;
  const { version, cells } = row;
  const shown = versionWords(version);
  const cellsOfRow = matrix.configurations.map((configuration, column) => {
    const cell = cells.get(configuration);
    if (cell === undefined) return html`<td></td>`;
    const { attempt, look } = cell;
    const goodIn = began.get(attempt);
    const label = `${wordOf(look)}, ${words[column] ?? ""}, ${shown}${
      goodIn === undefined ? "" : `; passed in ${versionWords(goodIn)}`
    }`;
    const looks = classesOf(matrix, at, column, look, goodIn !== undefined);
    const href = site.href({ kind: "attempt", id: attempt });
    return href === null
      ? html`<td><span class="${looks}" role="img" aria-label="${label}">${SIGNS[look]}</span></td>`
      : html`<td><a class="${looks}" href="${href}" aria-label="${label}">${SIGNS[look]}</a></td>`;
  });
  const href = site.href({ kind: "release", project, version });
  const mark = marks.get(version);
  return html`<tr><th scope="row">${href === null ? shown : html`<a href="${href}">${shown}</a>`}${
    mark === undefined ? NOTHING : html` <span class="soft">${mark}</span>`
  }</th>${cellsOfRow}</tr>
`;
}

function classesOf(
  matrix: Matrix,
  row: number,
  column: number,
  look: Look,
  isBeginning: boolean,
): string {
  if (verdictOf(look) !== "bad") return `v-${look}`;
  const { left, right, above } = badEdges(matrix, row, column);
  return `v-${look}${isBeginning ? " began" : ""}${left ? " l" : ""}${right ? " r" : ""}${above ? " a" : ""}`;
}

/** One head over all neighbouring columns of an implementation. */
function implementationHeads(configurations: readonly string[]): Html[] {
  const groups: { readonly name: string; count: number }[] = [];
  for (const configuration of configurations) {
    const name = configurationParts(configuration).implementation ?? "";
    const last = groups.at(-1);
    if (last?.name === name) last.count++;
    else groups.push({ name, count: 1 });
  }
  return groups.map(
    ({ name, count }) => html`<th scope="colgroup" colspan="${String(count)}">${name}</th>`,
  );
}
