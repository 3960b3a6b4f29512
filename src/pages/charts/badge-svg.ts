import { clip, printableLine } from "../../base/bounded-text.ts";
import { html, markupOf } from "../shell/html.ts";

/** Of a badge, as the shields.io endpoint names them; white text on them has a contrast of 4.5 or more. */
export const BADGE_COLOURS = {
  green: "#00694f",
  orange: "#9c2c00",
  red: "#86193f",
  grey: "#515c62",
} as const;
export type BadgeColour = keyof typeof BADGE_COLOURS;

export interface Badge {
  readonly label: string;
  readonly message: string;
  readonly colour: BadgeColour;
}

const MAX_CHARS = 80;
const HEIGHT = 20;
const PADDING = 6;

/** A flat badge, as projects show them beside others' in their readmes. */
export async function badgeSvg({
  label: givenLabel,
  message: given,
  colour,
}: Badge): Promise<string> {
  const label = clip(printableLine(givenLabel), MAX_CHARS);
  const message = clip(printableLine(given), MAX_CHARS);
  const left = widthOf(label) + 2 * PADDING;
  const right = widthOf(message) + 2 * PADDING;
  const text = (of: string, x: number) =>
    html`<text x="${x}" y="14" textLength="${widthOf(of)}" lengthAdjust="spacingAndGlyphs">${of}</text>`;
  return markupOf(html`<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="${HEIGHT}" role="img" aria-label="${label}: ${message}">
<title>${label}: ${message}</title>
<rect width="${left + right}" height="${HEIGHT}" rx="3" fill="${BADGE_COLOURS[colour]}"/>
<path d="M3 0h${left - 3}v${HEIGHT}H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#2b3236"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-rendering="geometricPrecision">${text(label, PADDING)}${text(message, left + PADDING)}</g>
</svg>
`);
}

/** The same for a shields.io endpoint (schema 1). */
export function badgeEndpoint({ label, message, colour }: Badge) {
  return { schemaVersion: 1 as const, label, message, color: BADGE_COLOURS[colour].slice(1) };
}

/** About as wide as Verdana at 11 pixels draws it; the text is set to it. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of text)
    width += /[ijlI.,:;|!'()[\]]/u.test(character) ? 4.2 : /[mwMW@%]/u.test(character) ? 10 : 6.9;
  return Math.ceil(width);
}
