import { clip, printableLine } from "../../base/bounded-text.ts";
import type { ListedChange } from "../../store/sql/verdict-changes.ts";
import type { StoredAttempt } from "../../store/store.ts";
import { parseCause } from "../../model/result-words.ts";
import { causeWords } from "../shell/cause-words.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { lookOf, verdictMark, wordOf, type Look } from "../shell/words.ts";

const MAX_NAME_CHARS = 100;
const MAX_VERSION_CHARS = 60;

/** A verdict on one line. */
export interface NewVerdict {
  readonly id: string;
  readonly look: Look;
  readonly project: string;
  readonly version: string;
  readonly configuration: string;
  /** As results have it; null on a pass. */
  readonly cause: string | null;
  /** Ms since 1970: when it came. */
  readonly atMs: number;
}

export function newVerdictOf({ attempt, startedAt }: StoredAttempt): NewVerdict {
  const { id, project, version, configuration, outcome, cause, seconds } = attempt;
  const kind = cause === null ? null : (parseCause(cause)?.kind ?? null);
  return {
    id,
    look: lookOf(outcome, kind),
    project,
    version,
    configuration,
    cause,
    atMs: Date.parse(startedAt) + 1000 * (seconds["total"] ?? 0),
  };
}

/** A change of verdict, by what it is now. */
export function changedVerdictOf({ project, configuration, now, atMs }: ListedChange): NewVerdict {
  const { attempt: id, version, outcome, cause } = now;
  const kind = cause === null ? null : (parseCause(cause)?.kind ?? null);
  return { id, look: lookOf(outcome, kind), project, version, configuration, cause, atMs };
}

/** Verdicts, a line each, as high whatever is in it. */
export function verdictList(verdicts: readonly NewVerdict[], context: PageContext): Html {
  return html`<ol class="verdict-list">${verdicts.map((one) => lineOf(one, context))}</ol>`;
}

function lineOf(verdict: NewVerdict, { site, nowMs }: PageContext): Html {
  const { id, look, project, version, configuration, cause, atMs } = verdict;
  const name = clip(printableLine(project), MAX_NAME_CHARS);
  const number = clip(printableLine(version), MAX_VERSION_CHARS);
  const where = configurationWords(configuration);
  const attempt = site.href({ kind: "attempt", id });
  const own = site.href({ kind: "project", project });
  const release = version === "" ? null : site.href({ kind: "release", project, version });
  return html`<li data-key="${id}">
<span class="verdict-of">${
    attempt === null
      ? verdictMark(look)
      : html`<a href="${attempt}">${verdictMark(look)}<span class="visually-hidden"> (${wordOf(look)} of ${name} ${number} on ${where})</span></a>`
  }</span>
<span class="release-of">${own === null ? name : html`<a href="${own}">${name}</a>`} ${
    release === null ? number : html`<a href="${release}">${number}</a>`
  }</span>
<span class="where-of">${where}</span>
<span class="cause-of">${cause === null ? NOTHING : causeWords(cause).text}</span>
<span class="when-of soft">${timeAgo(atMs, nowMs)}</span>
</li>`;
}
