import { clip, printableLine } from "../../base/bounded-text.ts";
import { beginnings, type Matrix } from "../project/matrix.ts";
import { versionWords } from "../project/verdict-sentence.ts";
import { configurationParts, configurationWords } from "../shell/configuration-words.ts";
import { html, markupOf, NOTHING, type Html } from "../shell/html.ts";
import { SIGNS, wordOf, type Look } from "../shell/words.ts";

/** The light ones of the pages: a picture in another's page knows nothing of its colours. */
const COLOURS: Readonly<Record<Look, readonly [string, string]>> = {
  pass: ["#d5efe6", "#00694f"],
  fail: ["#fbe0d3", "#9c2c00"],
  error: ["#fbe0d3", "#9c2c00"],
  crash: ["#f7d9e4", "#86193f"],
  killed: ["#f7d9e4", "#86193f"],
  skip: ["#e9edef", "#515c62"],
  waiting: ["#e9edef", "#515c62"],
  farm: ["#e8e0f5", "#5b3f92"],
};
const CELL = 22;
const STEP_X = 34;
const STEP_Y = 24;
const TOP = 44;
const MAX_VERSION_CHARS = 16;

/** Versions x configurations as a picture, for readmes. */
export async function matrixSvg(project: string, matrix: Matrix): Promise<string> {
  const { configurations, rows } = matrix;
  const versions = rows.map(({ version }) => clip(versionWords(version), MAX_VERSION_CHARS));
  const left = 24 + 7 * Math.max(4, ...versions.map(({ length }) => length));
  const width = left + Math.max(4, configurations.length) * STEP_X + 8;
  const height = TOP + Math.max(1, rows.length) * STEP_Y + 8;
  const began = beginnings(matrix);
  const title = `${clip(printableLine(project), 100)}: ${rows.length} releases on ${configurations.length} configurations`;
  const heads = configurations.map((name, at) => {
    const { implementation, version } = configurationParts(name);
    const x = left + at * STEP_X + CELL / 2;
    const isNew =
      at === 0 ||
      configurationParts(configurations[at - 1] ?? "").implementation !== implementation;
    return html`${isNew && implementation !== null ? html`<text x="${x - CELL / 2}" y="16" font-weight="bold">${implementation}</text>` : NOTHING}<text x="${x}" y="36" text-anchor="middle">${clip(version, 6)}</text>`;
  });
  const drawn = rows.map(({ version, cells }, at) => {
    const y = TOP + at * STEP_Y;
    return html`<text x="8" y="${y + 15}">${versions[at] ?? ""}</text>${configurations.map(
      (name, column) => {
        const cell = cells.get(name);
        if (cell === undefined) return NOTHING;
        const label = `${wordOf(cell.look)}, ${configurationWords(name)}, ${versionWords(version)}`;
        return cellOf(cell.look, label, left + column * STEP_X, y, began.has(cell.attempt));
      },
    )}`;
  });
  const empty = html`<text x="8" y="${TOP + 15}">nothing tested yet</text>`;
  return markupOf(html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<title>${title}</title>
<rect width="${width}" height="${height}" rx="4" fill="#fff"/>
<g fill="#1b2225" font-family="DejaVu Sans,Verdana,sans-serif" font-size="11">
${heads}
${rows.length === 0 ? empty : drawn}
</g>
</svg>
`);
}

function cellOf(look: Look, label: string, x: number, y: number, isBeginning: boolean): Html {
  const [ground, text] = COLOURS[look];
  const corner = html`<path d="M${x} ${y + CELL}h${CELL}" stroke="${text}" stroke-width="3"/>`;
  return html`<g><title>${label}</title><rect x="${x}" y="${y}" width="${CELL}" height="${CELL}" rx="2" fill="${ground}"/><text x="${x + CELL / 2}" y="${y + 15}" text-anchor="middle" font-weight="bold" fill="${text}">${SIGNS[look]}</text>${isBeginning ? corner : NOTHING}</g>
`;
}
