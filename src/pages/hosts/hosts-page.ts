import { clip, printableLine } from "../../base/bounded-text.ts";
import type { Host, HostState } from "../../queue/hosts.ts";
import type { HostRecord } from "../../queue/judge-host.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { liveBar } from "../shell/live.ts";
import { bytesText, numberText, shareText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { hostActions, mayActOnHosts } from "./host-actions.ts";

/** What anybody may know of the hosts. */
export interface HostCounts {
  /** That take jobs and are heard of. */
  readonly atWork: number;
  readonly all: number;
  /** Of those at work: jobs that they run side by side, and that run now. */
  readonly slots: number;
  readonly running: number;
}

export interface ShownHost extends Host {
  /** Active, and not heard of for longer than a lease. */
  readonly isLost: boolean;
  /** How its last jobs ended; null where none has. */
  readonly record: HostRecord | null;
}

export interface HostsFacts {
  readonly counts: HostCounts;
  /** For operators; null for everybody else. */
  readonly hosts: readonly ShownHost[] | null;
}

const STATE_WORDS: Readonly<Record<HostState, string>> = {
  active: "takes jobs",
  draining: "ends what it runs",
  "out-of-service": "out of service",
};

export function hostsPage({ counts, hosts }: HostsFacts, context: PageContext): Page {
  const { atWork, all, slots, running } = counts;
  return {
    title: "Hosts",
    section: "hosts",
    scripts: ["live.js"],
    main: html`<h1>Hosts</h1>
<p class="lead" data-live="lead">${leadText(counts)}</p>
${liveBar(context)}
<dl class="facts" data-live="counts"><dt>At work</dt><dd>${numberText(atWork)} of ${numberText(all)}</dd>
<dt>Slots</dt><dd>${numberText(slots)}, each for one job at a time</dd>
<dt>Running</dt><dd>${numberText(running)}</dd></dl>
${hosts === null ? html`<p class="soft">What the hosts are is shown to the farm's operators.</p>` : html`<div data-live="hosts">${tableOf(hosts, context)}</div>`}`,
  };
}

function leadText({ atWork, slots, running }: HostCounts): string {
  if (atWork === 0) return "No host takes jobs at present: what is queued waits.";
  return `${atWork === 1 ? "One host takes" : `${numberText(atWork)} hosts take`} jobs, and ${
    running >= slots
      ? "all of their slots are in use"
      : `${numberText(running)} of ${numberText(slots)} slots are in use`
  }.`;
}

function tableOf(hosts: readonly ShownHost[], context: PageContext): Html {
  if (hosts.length === 0) return html`<p>No host has ever taken jobs here.</p>`;
  const hasActions = mayActOnHosts(context);
  return html`<h2>Each of them</h2>
<div class="frame" tabindex="0" role="region" aria-label="Hosts">
<table class="hosts"><caption>Faults: jobs that ended by the farm's own fault, of the last 50 of a day</caption>
<thead><tr><th scope="col">Host</th><th scope="col">State</th><th scope="col" class="number">Running</th><th scope="col" class="number">Faults</th><th scope="col">Seen</th><th scope="col">Runs</th><th scope="col" class="number">Cores</th><th scope="col" class="number">Memory free</th><th scope="col" class="number">Disk free</th>${
    hasActions ? html`<th scope="col">Actions</th>` : NOTHING
  }</tr></thead>
<tbody>${hosts.map((host) => rowOf(host, hasActions, context))}</tbody></table></div>`;
}

function rowOf(host: ShownHost, hasActions: boolean, context: PageContext): Html {
  const { name, state, isLost, reason, slots, seenMs, facts } = host;
  const { running, version, machine, image, cores, memoryFreeBytes, diskFreeBytes } = facts;
  const shown = (text: string, most = 120): string => clip(printableLine(text), most);
  return html`<tr data-key="${name}"><th scope="row" class="breaks">${shown(name)}</th>
<td>${isLost ? html`<strong>not heard of</strong>` : state === "active" ? STATE_WORDS[state] : html`<strong>${STATE_WORDS[state]}</strong>`}${
    reason === null ? NOTHING : html`<br><span class="soft reason">${shown(reason, 300)}</span>`
  }</td>
<td class="number">${numberText(running)} of ${numberText(slots)}</td>
<td class="number">${faultsOf(host)}</td>
<td>${timeAgo(seenMs, context.nowMs)}</td>
<td>${shown(image)}<br><span class="soft">${shown(machine)}, Creamery ${shown(version)}</span></td>
<td class="number">${numberText(cores)}</td>
<td class="number">${bytesText(memoryFreeBytes)}</td>
<td class="number">${bytesText(diskFreeBytes)}</td>${hasActions ? html`<td>${hostActions(host, context)}</td>` : NOTHING}</tr>`;
}

function faultsOf({ record }: ShownHost): string {
  if (record === null || record.finishes === 0) return "–";
  return `${record.faults} of ${record.finishes} (${shareText(record.faults, record.finishes)})`;
}
