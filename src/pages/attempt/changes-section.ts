import type { Axes } from "../../model/axes.ts";
import { releaseOf } from "../../model/attempt-words.ts";
import { causeGroup, parseCause } from "../../model/result-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { verdictMark } from "../shell/words.ts";
import {
  SLOWER_SECONDS,
  SLOWER_TIMES,
  type ChangedTest,
  type TestChanges,
} from "./compare-tests.ts";
import type { Baseline, ReadAttempt } from "./read-attempt.ts";
import { testMark } from "./tests-section.ts";
import { AXIS_WORDS, comparedWords, counted, line, secondsText } from "./texts.ts";
import { lookOfAttempt } from "./verdict-sentence.ts";

/** Of each kind of change, so many tests are named. */
const MOST_NAMED = 50;

const KINDS: readonly (readonly [keyof TestChanges, title: string, ofStore: string])[] = [
  ["newlyFailing", "Newly failing", "Fail now, and did not before"],
  ["stillFailing", "Still failing", "Still failing"],
  ["fixed", "Fixed", "Failed before, and do not now"],
  [
    "slower",
    `Much slower: at least ${SLOWER_TIMES} times as long and ${SLOWER_SECONDS} s more`,
    "",
  ],
  ["added", "New", ""],
  ["gone", "Gone", ""],
];

/** What became of each test since the baseline, and what else moved. */
export function changesSection(read: ReadAttempt, context: PageContext): Html {
  const { baseline, stored } = read;
  const heading = html`<h2 id="changes">Since the attempt before</h2>`;
  if (stored.reason === "confirm")
    return html`${heading}<p>This run confirms another: it ran no more than what failed there, and is compared with nothing else.</p>`;
  if (isFarms(stored.attempt.cause))
    return html`${heading}<p>The farm gave no verdict, so there is nothing to compare.</p>`;
  if (baseline === null)
    return html`${heading}<p>There is no older attempt of this project and configuration to compare it with.</p>`;
  const { attempt, startedAt } = baseline.stored;
  const href = context.site.href({ kind: "attempt", id: attempt.id });
  const name = `${line(releaseOf(attempt), 200)}, attempt ${attempt.id}`;
  const { comparison } = stored.attempt;
  return html`${heading}
<p>Compared with ${href === null ? html`${name}` : html`<a href="${href}">${name}</a>`} ${verdictMark(lookOfAttempt(attempt))}, ${timeAgo(Date.parse(startedAt), context.nowMs)}${
    comparison === null ? NOTHING : html`: <strong>${comparedWords(comparison, true)}</strong>`
  }.</p>
${movedNote(baseline)}
${baseline.origin === "store" ? html`<p>A report of the two is not kept (any more): only what failed is known, so nothing is said of new, gone and slower tests.</p>` : NOTHING}
${changeLists(baseline)}`;
}

function isFarms(cause: string | null): boolean {
  const kind = cause === null ? null : (parseCause(cause)?.kind ?? null);
  return kind !== null && causeGroup(kind) === "farm";
}

function movedNote({ moved }: Baseline): Html {
  if (moved.length === 0) return NOTHING;
  return html`<p>Other inputs are different too: ${moved.map((axis: keyof Axes, index) => html`${index === 0 ? "" : ", "}<strong>${AXIS_WORDS[axis].replace(/ \(.*$/u, "").toLowerCase()}</strong>`)}. So what follows need not be the release's doing.</p>`;
}

function changeLists({ changes, origin, moved }: Baseline): Html {
  const kinds = KINDS.filter(
    // Another machine or interpreter has its own pace.
    ([kind]) => kind !== "slower" || !(moved.includes("machine") || moved.includes("interpreter")),
  ).filter(([kind]) => changes[kind].length > 0);
  if (kinds.length === 0) return html`<p>No test behaves otherwise than it did there.</p>`;
  return html`${kinds.map(([kind, title, ofStore]) => {
    const tests = changes[kind];
    return html`<details class="changed"${kind === "newlyFailing" ? html` open` : NOTHING}><summary>${origin === "store" ? ofStore : title} <span class="soft">(${tests.length.toLocaleString("en")})</span></summary>
<ul>${tests.slice(0, MOST_NAMED).map((test) => changedItem(test, kind, origin === "report"))}</ul>
${tests.length > MOST_NAMED ? html`<p>And ${counted(tests.length - MOST_NAMED, "more", "more")}.</p>` : NOTHING}</details>`;
  })}`;
}

function changedItem(
  { id, before, now }: ChangedTest,
  kind: keyof TestChanges,
  isWhole: boolean,
): Html {
  const shown = now ?? before;
  const times =
    kind === "slower" && before !== null && now !== null
      ? html` <span class="soft">${secondsText(before.seconds)} before, ${secondsText(now.seconds)} now</span>`
      : NOTHING;
  const was =
    isWhole && kind === "newlyFailing" && before !== null
      ? html` <span class="soft">was: ${before.outcome}</span>`
      : NOTHING;
  const mark = shown === null || (kind === "fixed" && !isWhole) ? NOTHING : testMark(shown.outcome);
  return html`<li>${mark} <code>${line(id)}</code>${was}${times}</li>`;
}
