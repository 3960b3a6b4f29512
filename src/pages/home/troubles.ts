import { clip, printableLine } from "../../base/bounded-text.ts";
import type { Viewer } from "../shell/page.ts";

/** What an alarm of the farm says to operators (docs/operating.md). */
export interface ToldAlarm {
  readonly kind: string;
  /** RFC 3339. */
  readonly since: string;
  readonly text: string;
  readonly nextStep: string;
}

/** Something that is not as it should be, as far as who looks is told of it. */
export interface Trouble {
  readonly text: string;
  /** Null for who can do nothing about it. */
  readonly nextStep: string | null;
  /** Ms since 1970; null for who is not told. */
  readonly sinceMs: number | null;
  /** Whether the farm tests nothing while it lasts. */
  readonly stopsFarm: boolean;
}

/** By kind, for strangers: no host, path, watcher or project is named, and none is counted. */
const WORDS: Readonly<Record<string, string>> = {
  store: "The farm's store does not answer",
  "housekeeping-late": "The farm's housekeeping is late",
  "host-lost": "One of the farm's hosts is not heard of; its jobs were given to others",
  "host-out": "One of the farm's hosts is out of service",
  "no-hosts": "No host takes jobs at present: what is queued waits",
  "watcher-failing": "An index or a forge can't be followed at present: new releases may come late",
  "disk-low": "A disk is nearly full: nothing new is begun until there is room",
  "jobs-dead": "Some jobs of the last day ended without a result",
  behind: "More is queued than the hosts keep up with: verdicts come late",
};

const STOPS: ReadonlySet<string> = new Set(["store", "housekeeping-late", "no-hosts", "disk-low"]);

/** The farm's alarms as they are for who looks. */
export function troublesFor(
  { mayOperate }: Pick<Viewer, "mayOperate">,
  alarms: readonly ToldAlarm[],
): readonly Trouble[] {
  if (mayOperate)
    return alarms.map(({ kind, since, text, nextStep }) => ({
      text: clip(printableLine(text), 500),
      nextStep: clip(printableLine(nextStep), 300),
      sinceMs: Date.parse(since),
      stopsFarm: STOPS.has(kind),
    }));
  return [...new Set(alarms.map(({ kind }) => kind))].map((kind) => ({
    text: WORDS[kind] ?? "Something needs the operator's attention",
    nextStep: null,
    sinceMs: null,
    stopsFarm: STOPS.has(kind),
  }));
}

/** The one sentence: whether the farm is well. */
export function wellness(troubles: readonly Trouble[]): string {
  if (troubles.length === 0) return "The farm is well";
  if (troubles.some(({ stopsFarm }) => stopsFarm)) return "The farm is not testing at present";
  return troubles.length === 1
    ? "The farm is at work, with one thing amiss"
    : `The farm is at work, with ${troubles.length} things amiss`;
}
