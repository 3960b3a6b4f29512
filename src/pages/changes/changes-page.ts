import { clip, printableLine } from "../../base/bounded-text.ts";
import { MOST_GROUPED, type ChangeGroup } from "../../store/sql/change-groups.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { liveBar } from "../shell/live.ts";
import { numberText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { changeList } from "./change-list.ts";
import { rootWords } from "./change-words.ts";
import {
  parametersOf,
  PERIODS,
  SHOWN_KINDS,
  type ChangesQuery,
  type ShownKind,
} from "./changes-query.ts";
import { changesSentence } from "./changes-sentence.ts";
import type { ChangesFacts } from "./read-changes.ts";

/** So many changes of a root are shown at once; more are folded. */
const MOST_UNFOLDED = 2;

const KIND_WORDS: Readonly<Record<ShownKind, string>> = {
  both: "Broke or was fixed",
  broke: "Broke",
  fixed: "Was fixed",
  changed: "Fails otherwise than before",
};

/** What newly broke and what was fixed, by what is to blame. */
export function changesPage(facts: ChangesFacts, query: ChangesQuery, context: PageContext): Page {
  const { site } = context;
  const { groups, groupCount, isCut } = facts;
  const feed = site.href({ kind: "changes-feed" });
  const sentence = changesSentence(facts, { days: query.days, kinds: SHOWN_KINDS[query.kind] });
  const hidden = groupCount - groups.length;
  return {
    title: "Changes",
    section: "changes",
    scripts: ["live.js"],
    ...(feed === null ? {} : { feed: { href: feed, title: "Changes of verdict" } }),
    main: html`<h1>Changes</h1>
<p class="lead changes-lead" data-live="lead">${sentence}</p>
${formOf(facts, query, context)}
${liveBar(context)}
<section aria-labelledby="roots">
<h2 id="roots">${query.root === null ? "By what is to blame" : "One root"}</h2>
${rootFilter(query, context)}
<div data-live="roots" class="roots">${
      groups.length === 0
        ? html`<p>Nothing of the kind changed in this period.</p>`
        : html`<ol class="root-list">${groups.map((group) => groupOf(group, query, context))}</ol>`
    }${hidden > 0 ? html`<p>${numberText(hidden)} more ${hidden === 1 ? "root is" : "roots are"} not shown: choose a shorter period, or a configuration.</p>` : NOTHING}${
      isCut
        ? html`<p>More changed in this period than is counted here: these are its newest ${numberText(MOST_GROUPED)} changes.</p>`
        : NOTHING
    }</div>
</section>
${feed === null ? NOTHING : html`<p class="soft">The same as a feed, with no set-up: <a href="${feed}">Atom</a>. Each project has one of its own.</p>`}`,
  };
}

function formOf(
  { configurations }: ChangesFacts,
  query: ChangesQuery,
  { site }: PageContext,
): Html {
  if (site.kind !== "live") return NOTHING;
  const option = (value: string, text: string, isChosen: boolean): Html =>
    isChosen
      ? html`<option value="${value}" selected>${text}</option>`
      : html`<option value="${value}">${text}</option>`;
  const kinds = Object.entries(KIND_WORDS);
  const names = configurations.map((name) =>
    option(name, configurationWords(name), name === query.configuration),
  );
  return html`<form class="filters" action="${site.href({ kind: "changes" }) ?? ""}" method="get">
<p><label for="days">Period</label><select id="days" name="days">${PERIODS.map((days) =>
    option(String(days), days === 1 ? "Last day" : `Last ${days} days`, days === query.days),
  )}</select></p>
<p><label for="kind">What</label><select id="kind" name="kind">${kinds.map(([kind, words]) =>
    option(kind, words, kind === query.kind),
  )}</select></p>
<p><label for="configuration">Where</label><select id="configuration" name="configuration">${option("", "All configurations", query.configuration === null)}${names}</select></p>
${query.root === null ? NOTHING : html`<input type="hidden" name="root" value="${query.root}">`}
<p><button>Show</button></p>
</form>`;
}

function rootFilter(query: ChangesQuery, { site }: PageContext): Html {
  if (query.root === null) return NOTHING;
  const all = site.href({ kind: "changes", parameters: parametersOf(query, { root: null }) });
  return html`<p>Only what changed ${rootWords(query.root)}.${all === null ? NOTHING : html` <a href="${all}">Show all roots</a>`}</p>`;
}

function groupOf(group: ChangeGroup, query: ChangesQuery, context: PageContext): Html {
  const { root, changes, newest, newestMs } = group;
  const list = changeList(newest, context);
  const isFolded = changes > MOST_UNFOLDED && query.root === null;
  return html`<li data-key="${root}">
<div class="root-head"><h3>${headOf(group)}</h3>${
    // Of a single one its own line says it.
    changes === 1
      ? NOTHING
      : html`<p>${countsOf(group)}</p><p class="soft">${timeAgo(newestMs, context.nowMs)}</p>`
  }</div>
${isFolded ? html`<details><summary>${numberText(changes)} changes</summary>${list}${moreOf(group, query, context)}</details>` : html`${list}${moreOf(group, query, context)}`}
</li>`;
}

/** The culprit; a project that is its own is named by the lines below. */
function headOf({ root, newest, projects }: ChangeGroup): string {
  const isOwn = projects === 1 && newest[0]?.project === root;
  if (isOwn) return clip(printableLine(root), 100);
  const words = rootWords(root);
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function countsOf({ broke, fixed, changed, configurations, projects }: ChangeGroup): string {
  const of = (count: number, words: string): string[] =>
    count === 0 ? [] : [`${numberText(count)} ${words}`];
  const told = [
    ...of(broke, "broke"),
    ...of(fixed, fixed === 1 ? "was fixed" : "were fixed"),
    ...of(changed, changed === 1 ? "fails otherwise" : "fail otherwise"),
  ].join(", ");
  const where =
    configurations === 1
      ? "on one configuration"
      : `on ${numberText(configurations)} configurations`;
  return projects === 1
    ? `${told.replace(/^1 (\S)/u, (_, first: string) => first.toUpperCase())} ${where}`
    : `${told} ${where}`;
}

function moreOf(group: ChangeGroup, query: ChangesQuery, { site }: PageContext): Html {
  const hidden = group.changes - group.newest.length;
  if (hidden <= 0) return NOTHING;
  const href =
    query.root === null
      ? site.href({ kind: "changes", parameters: parametersOf(query, { root: group.root }) })
      : null;
  const text = `${numberText(hidden)} more`;
  return href === null
    ? html`<p class="soft">And ${text}.</p>`
    : html`<p><a href="${href}">${text}<span class="visually-hidden"> ${rootWords(group.root)}</span></a></p>`;
}
