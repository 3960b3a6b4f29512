import { clip, printable, printableLine } from "../../base/bounded-text.ts";
import type { Comparison, MachineKind, TestOutcome } from "../../model/attempt.ts";
import type { Axes } from "../../model/axes.ts";
import type { JobReason } from "../../store/store.ts";
import { durationText } from "../shell/times.ts";

/** How what an attempt holds is said to people; whatever a package wrote is bounded and printable. */

const MAX_LINE_CHARS = 480;
const MAX_TEXT_CHARS = 4000;

/** On one line. */
export function line(text: string, maxChars = MAX_LINE_CHARS): string {
  return clip(printableLine(text), maxChars);
}

/** On as many lines as it has. */
export function lines(text: string, maxChars = MAX_TEXT_CHARS): string {
  return clip(printable(text), maxChars);
}

/** `3 tests`, `1 test`. @param plural where it is not the word with an s. */
export function counted(count: number, one: string, plural = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : plural}`;
}

/** Of one test: `13 ms`, else as any duration. */
export function secondsText(seconds: number): string {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : durationText(seconds);
}

const UNITS = ["KB", "MB", "GB", "TB"] as const;

/** `512 bytes`, `1.5 MB`: of 1000 each. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return counted(bytes, "byte");
  let value = bytes;
  let unit = "bytes";
  for (const next of UNITS) {
    if (value < 1000) break;
    value /= 1000;
    unit = next;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

export const MACHINE_WORDS: Readonly<Record<MachineKind, string>> = {
  qemu: "a virtual machine (QEMU)",
  gvisor: "gVisor",
  container: "a container",
};

export const REASON_WORDS: Readonly<Record<JobReason, string>> = {
  manual: "somebody asked for it",
  reproduce: "to reproduce another attempt",
  confirm: "to confirm what another attempt saw",
  release: "a release was published",
  push: "a commit was pushed",
  retest: "something that it depends on has changed",
  experiment: "an experiment",
  canary: "to try an image out",
  blame: "to find what is to blame",
};

const COMPARISON_WORDS: Readonly<Record<Comparison, string>> = {
  "new-fail": "newly failing",
  fixed: "fixed",
  "still-fail": "still failing",
  "still-pass": "still passing",
  "changed-cause": "failing for another cause than before",
  new: "nothing older to compare it with",
  removed: "removed",
  incomparable: "can't be compared with what was before",
};

/** What a comparison came to. @param hasBaseline whether there is an older attempt by now: of several at once none has ended. */
export function comparedWords(comparison: Comparison, hasBaseline: boolean): string {
  return comparison === "new" && hasBaseline
    ? "nothing older had ended when it was judged"
    : COMPARISON_WORDS[comparison];
}

export const TEST_WORDS: Readonly<Record<TestOutcome, string>> = {
  passed: "passed",
  failed: "failed",
  error: "error",
  skipped: "skipped",
  xfailed: "failed, as expected",
  xpassed: "passed, unexpectedly",
};

export const AXIS_WORDS: Readonly<Record<keyof Axes, string>> = {
  source: "Source (sha256)",
  interpreter: "Interpreter",
  builder: "Interpreter built by",
  image: "Image",
  machine: "Machine",
  indexDate: "Index asked at",
  lock: "Lock (sha256 of what the index gave)",
  plan: "Plan (sha256)",
  agent: "Agent",
  overlay: "Given by an experiment (sha256)",
};
