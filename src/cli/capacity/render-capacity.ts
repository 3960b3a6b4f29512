import { PUBLIC_INDEX } from "../../judge/capacity/arrivals.ts";
import type { Capacity } from "../../judge/capacity/capacity.ts";
import type { Figures } from "../../judge/capacity/choose-figures.ts";
import type { Distribution } from "../../judge/capacity/distribution.ts";
import { FEWEST_MEASURED } from "../../judge/capacity/measured.ts";
import {
  NOTE,
  NOTE_RELEASES_PER_DAY,
  PLANNED_LOAD,
  type Demand,
} from "../../judge/capacity/sums.ts";
import { LANES } from "../../queue/job.ts";
import { countText, dollarsText, secondsText, shareText, tableText } from "./units.ts";

/** What `--json` prints. */
export interface CapacityAnswer extends Capacity {
  readonly schema: 1;
  readonly figures: Omit<Figures, "attempts"> & { readonly attempts: number };
  readonly demand: Demand;
  /** Where a host's price is from. */
  readonly price: "given" | "note";
  readonly seed: number;
}

/** The answer for a person: about a screen. */
export function renderCapacity(answer: CapacityAnswer): string {
  return [
    measuredText(answer),
    attemptText(answer),
    sumsText(answer),
    dayText(answer),
    sharedText(answer),
  ].join("\n");
}

function measuredText({ figures }: CapacityAnswer): string {
  const { from, machine, ownAttempts, attempts } = figures;
  if (from === "farm")
    return `Measured: the newest ${attempts} attempts of this farm on ${machine}.\n`;
  const own = ownAttempts === 0 ? "no attempt" : `only ${ownAttempts} attempts`;
  return `This farm has measured ${own} on ${machine}, and ${FEWEST_MEASURED} are needed. These are the figures that Creamery ships:
${attempts} releases of its own record on a host with 2 cores, not this farm's.\n`;
}

function attemptText({ cost }: CapacityAnswer): string {
  const { slotSeconds, cpuSeconds, slotsPerCore, coresBusy, attemptsPerCoreHour } = cost;
  const row = (what: string, { mean, median, p90, p99, max }: Distribution) => [
    what,
    ...[mean, median, p90, p99, max].map(secondsText),
  ];
  return `${tableText([
    ["an attempt", "mean", "median", "p90", "p99", "max"],
    row("holds its slot", slotSeconds),
    row("its guests compute", cpuSeconds),
  ])}${slotsPerCore} slot for each core, ${coresBusy.toFixed(2)} of a core busy with an attempt: a core comes to ${countText(attemptsPerCoreHour)} an hour (bound by ${cost.boundBy}).
`;
}

function sumsText({ demand, note, fleet, keptUpWith, cost, price }: CapacityAnswer): string {
  const { releasesPerMinute, configurations, coresPerHost, dollarsPerHour } = demand;
  const { theirs, ours } = note;
  const hours = fleet.attemptsPerDay / (cost.attemptsPerCoreHour * coresPerHost);
  const noteMonth = dollarsText(NOTE.dollarsPerMonth);
  const rows = [
    ["", `the note (${NOTE.year})`, "its sum, here", "asked, here"],
    [
      "releases a day",
      ...[NOTE_RELEASES_PER_DAY, NOTE_RELEASES_PER_DAY, releasesPerMinute * 1440].map(countText),
    ],
    ["configurations", "1", "1", String(configurations)],
    [
      "core seconds of an attempt",
      ...[theirs, ours, ours].map((one) => one.coreSecondsPerAttempt.toFixed(1)),
    ],
    ["cores", ...[NOTE.cores, NOTE.cores, coresPerHost].map(String)],
    [
      "hours that a day takes them",
      ...[theirs.hoursForADay, ours.hoursForADay, hours].map((one) => one.toFixed(2)),
    ],
    ["so often in a day", String(NOTE.timesADay), String(ours.timesADay), (24 / hours).toFixed(2)],
    [
      "an attempt costs",
      ...[theirs.dollarsPerAttempt, ours.dollarsPerAttempt, fleet.dollarsPerAttempt].map(
        dollarsText,
      ),
    ],
    ["hosts", "1", "1", String(fleet.hosts)],
    ["a month", noteMonth, noteMonth, dollarsText(fleet.dollarsPerMonth)],
  ];
  const origin =
    price === "note" ? `the note's ${noteMonth} a month for ${NOTE.cores} cores` : "as given";
  return `${tableText(rows)}The note's day is ${NOTE.releasedShare * 100}% of ${countText(NOTE.projects)} projects. A host costs ${dollarsText(dollarsPerHour)} an hour (${origin}).
Hosts are counted for ${PLANNED_LOAD * 100}% of load. One of them keeps up with ${keptUpWith.bySimulation.toPrecision(2)} releases a minute in ${configurations} configurations by
simulation, ${keptUpWith.byDivision.toPrecision(2)} by division.
`;
}

function dayText({ day, demand, seed }: CapacityAnswer): string {
  const { states } = day;
  const rows = LANES.map((lane) => {
    const { claimed, left, leftOldestSeconds, waitSeconds, busyShare } = day.lanes[lane];
    const { median, p90, p99, max } = waitSeconds;
    return [
      lane,
      countText(claimed),
      ...[median, p90, p99, max].map(secondsText),
      shareText(busyShare),
      countText(left),
      left === 0 ? "" : secondsText(leftOldestSeconds),
    ];
  });
  return `A simulated day of one host: ${demand.releasesPerMinute} releases a minute in bursts, ${countText(PUBLIC_INDEX.massRelease)} projects at once after 14 hours (seed ${seed})
${tableText([["lane", "begun", "wait: median", "p90", "p99", "max", "slots", "left", "oldest"], ...rows])}${countText(day.arrived)} jobs: ${countText(states.done)} done, ${countText(states.leased)} run, ${countText(states.superseded)} superseded, ${countText(states.queued)} queued, ${countText(states.waiting)} wait for a cool-down.
${keepsUpText(day)}
`;
}

function keepsUpText({ keepsUp, lanes }: Capacity["day"]): string {
  if (keepsUp) return "It keeps up.";
  const owed = lanes.manual.left + lanes.priority.left + lanes.rest.left;
  return `It does not keep up: ${countText(owed)} jobs of releases, pushes and people are left at the end.`;
}

function sharedText({ sharedGuest, demand }: CapacityAnswer): string {
  const { startSeconds, savedShare, mostSavedShare } = sharedGuest;
  return `${demand.configurations} interpreters in one guest would save ${shareText(savedShare)} of the slots' time (a guest starts in ${secondsText(startSeconds)}),
${shareText(mostSavedShare)} at the very most: each has a guest of its own (docs/capacity.md).
`;
}
