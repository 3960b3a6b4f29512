import { html, NOTHING, type Html } from "../shell/html.ts";

export interface Bar {
  /** What the bar stands for, with its number: `2.1: 487 tests, 3 failed`. */
  readonly label: string;
  /** Null where nothing is known: a gap. */
  readonly value: number | null;
  /** Of it, the part that is bad. */
  readonly bad?: number;
}

const STEP = 10;
const HEIGHT = 100;
/** What there is any of is seen. */
const LEAST_HEIGHT = 2;

/**
 * Bars from left to right, as a picture without words of its own: what it says is said beside it too.
 * @param says all of it in a sentence, for who does not see it.
 */
export function barChart(bars: readonly Bar[], says: string): Html {
  const most = Math.max(1, ...bars.map(({ value }) => value ?? 0));
  const width = bars.length * STEP;
  const drawn = bars.map(({ label, value, bad = 0 }, at) => {
    if (value === null) return NOTHING;
    const height = heightOf(value, most);
    const badHeight = Math.min(height, heightOf(bad, most));
    return html`<g><title>${label}</title>${rectangle("bar", at, HEIGHT - height, height)}${
      badHeight === 0 ? NOTHING : rectangle("bar bad", at, HEIGHT - badHeight, badHeight)
    }</g>`;
  });
  return html`<svg class="chart" role="img" aria-label="${says}" viewBox="0 0 ${width} ${HEIGHT}" preserveAspectRatio="none">${drawn}</svg>`;
}

function heightOf(value: number, most: number): number {
  if (!Number.isFinite(value) || value <= 0) return 0;
  return Math.max(LEAST_HEIGHT, Math.round((value / most) * HEIGHT));
}

function rectangle(looks: string, at: number, y: number, height: number): Html {
  return html`<rect class="${looks}" x="${at * STEP + 1}" y="${y}" width="${STEP - 2}" height="${height}"/>`;
}
