import { LANES, type JobState, type Lane } from "../../queue/job.ts";
import { html, type Html } from "../shell/html.ts";
import { numberText } from "../shell/numbers.ts";
import type { PageContext } from "../shell/page.ts";
import { agoText } from "../shell/times.ts";

export interface CountedLane {
  readonly lane: Lane;
  readonly state: JobState;
  readonly count: number;
  /** RFC 3339. */
  readonly oldestAt: string;
}

/** What each lane is for. */
export const LANE_WORDS: Readonly<Record<Lane, string>> = {
  manual: "somebody waits for it",
  priority: "on the main configurations",
  rest: "on all other configurations",
  background: "tested again when there is time",
};

/** States that are not over, as people call them. */
const COLUMNS = [
  ["queued", "Queued"],
  ["waiting", "Not yet due"],
  ["leased", "Running"],
  ["dead", "Dead"],
] as const;

/** How much there is in each lane: all of them, so that it is as high whatever comes and goes. */
export function lanesTable(lanes: readonly CountedLane[], { site, nowMs }: PageContext): Html {
  const rows = LANES.map((lane) => {
    const of = (state: JobState) => lanes.find((one) => one.lane === lane && one.state === state);
    const oldest = of("queued")?.oldestAt;
    return html`<tr><th scope="row">${lane} <span class="lane-for soft">${LANE_WORDS[lane]}</span></th>${COLUMNS.map(
      ([state]) => {
        const count = of(state)?.count ?? 0;
        const href = count === 0 ? null : site.href({ kind: "queue", parameters: { lane, state } });
        return html`<td class="number">${
          href === null ? numberText(count) : html`<a href="${href}">${numberText(count)}</a>`
        }</td>`;
      },
    )}<td class="number">${oldest === undefined ? "–" : agoText(Date.parse(oldest), nowMs)}</td></tr>`;
  });
  return html`<div class="frame" tabindex="0" role="region" aria-label="Jobs by lane">
<table class="lanes"><caption>Jobs that are not over, by lane; the first lane goes first</caption>
<thead><tr><th scope="col">Lane</th>${COLUMNS.map(([, word]) => html`<th scope="col" class="number">${word}</th>`)}<th scope="col" class="number">Oldest queued</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}
