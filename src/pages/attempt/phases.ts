import { html, NOTHING, type Html } from "../shell/html.ts";
import { durationText } from "../shell/times.ts";
import { line } from "./texts.ts";

/** One step of an attempt's time. */
export interface Phase {
  readonly name: string;
  readonly seconds: number;
  /** What of all of it went before, in seconds. */
  readonly from: number;
  readonly whose: "package" | "farm";
}

/** Laps in the order in which they come (src/worker/stopwatch.ts), and in words. */
const LAPS: readonly (readonly [lap: string, words: string, whose: Phase["whose"]])[] = [
  ["start", "A fresh guest starts", "farm"],
  ["venv", "Environment is made", "package"],
  ["build", "Wheel is built", "package"],
  ["install", "Release and dependencies are installed", "package"],
  ["examine", "Imports, scripts and files are looked at", "farm"],
  ["dependencies", "What the tests need is installed", "package"],
  ["test", "Tests run", "package"],
  ["retest", "What failed runs by itself", "package"],
  ["evidence", "Evidence is gathered", "farm"],
];
const CONFIRMING: typeof LAPS = [
  ["confirm-test", "What failed runs once more, elsewhere", "package"],
  ["confirm", "All else of the run that confirms", "farm"],
];
const SUMS: ReadonlySet<string> = new Set(["farm", "total"]);
const MAX_UNKNOWN = 20;
/** Less is not worth a row. */
const LEAST_SECONDS = 0.01;
const BAR_UNITS = 1000;

/**
 * The laps of an attempt end to end. Some of them overlap and their beginnings are not kept, so where a bar begins says only
 * what came before it; what is in no lap has a row of its own.
 */
export function phasesOf(seconds: Readonly<Record<string, number>>): readonly Phase[] {
  const known = new Set([...LAPS, ...CONFIRMING].map(([lap]) => lap));
  const unknown = Object.keys(seconds)
    .filter((lap) => !known.has(lap) && !SUMS.has(lap))
    .slice(0, MAX_UNKNOWN)
    .map((lap) => [lap, line(lap, 60), "farm"] as const);
  const own = [...LAPS, ...unknown];
  const inLaps = own.reduce((sum, [lap]) => sum + (seconds[lap] ?? 0), 0);
  const rest = Math.max(0, (seconds["total"] ?? 0) - inLaps);
  const rows = [
    ...own.map(([lap, name, whose]) => ({ name, whose, seconds: seconds[lap] ?? 0 })),
    { name: "Between the steps", whose: "farm" as const, seconds: rest },
    ...CONFIRMING.map(([lap, name, whose]) => ({ name, whose, seconds: seconds[lap] ?? 0 })),
  ].filter((row) => row.seconds >= LEAST_SECONDS);
  let from = 0;
  return rows.map((row) => {
    const phase = { ...row, from };
    from += row.seconds;
    return phase;
  });
}

export function phasesSection(seconds: Readonly<Record<string, number>>): Html {
  const phases = phasesOf(seconds);
  const last = phases.at(-1);
  if (last === undefined) return NOTHING;
  const all = last.from + last.seconds;
  const rows = phases.map(
    ({ name, seconds: spent, from, whose }) =>
      html`<tr><th scope="row">${name}</th><td class="number">${durationText(spent)}</td><td class="number share">${share(spent, all)}</td><td class="lap">${bar(from / all, spent / all, whose)}</td></tr>`,
  );
  const { total, farm } = seconds;
  return html`<h2 id="time">Where the time went</h2>
${
  total === undefined
    ? NOTHING
    : html`<p>It took ${durationText(total)}${
        farm === undefined ? NOTHING : html`, of which ${durationText(farm)} were the farm's own`
      }${all > total + LEAST_SECONDS ? html`; the runs that confirmed came on top` : NOTHING}.</p>`
}
<div class="frame" tabindex="0" role="region" aria-label="Phases with their seconds">
<table class="waterfall"><caption>Steps in their order, laid end to end; some run side by side</caption>
<thead><tr><th scope="col">Step</th><th scope="col" class="number">Time</th><th scope="col" class="number share">Share</th><th scope="col"><span class="visually-hidden">As a bar: </span><span class="key key-package"></span> the package's <span class="key key-farm"></span> the farm's</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

/** The numbers stand beside it. */
function bar(from: number, part: number, whose: Phase["whose"]): Html {
  const width = Math.max(3, Math.round(part * BAR_UNITS));
  const x = Math.min(BAR_UNITS - width, Math.round(from * BAR_UNITS));
  return html`<svg class="bar" viewBox="0 0 ${String(BAR_UNITS)} 10" preserveAspectRatio="none" aria-hidden="true" focusable="false"><rect class="bar-${whose}" x="${String(x)}" y="0" width="${String(width)}" height="10"></rect></svg>`;
}

function share(spent: number, all: number): string {
  const percent = (spent / all) * 100;
  return percent < 1 ? "<1%" : `${Math.round(percent)}%`;
}
