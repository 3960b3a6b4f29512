import { clip, printableLine } from "../../base/bounded-text.ts";
import type { Change, InterpreterChange } from "../../image/diff-images.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { numberText } from "../shell/numbers.ts";
import { BUILDER_WORDS } from "./builder-words.ts";
import type { ShownDifference } from "./read-images.ts";

const MOST_CHANGES = 100;

/** What two images differ in, what is most likely to break somebody first. */
export function differenceOf(difference: ShownDifference): Html {
  const { from, to, interpreters, tools, kernel, packages, paths } = difference;
  const isSame =
    interpreters.length + tools.length + packages.length + paths.length === 0 && kernel === null;
  return html`<h2>From ${from} to ${to}</h2>
${isSame ? html`<p>They hold the same.</p>` : NOTHING}
${tableOf(
  "Interpreters",
  interpreters.map((change) => ({ ...change, name: configurationWords(change.name) })),
)}
${tableOf("Tools", tools)}
${kernel === null ? NOTHING : tableOf("Kernel", [kernel])}
${tableOf("Debian packages", packages)}
${paths.length === 0 ? NOTHING : filesOf(difference)}`;
}

function tableOf(title: string, changes: readonly (Change | InterpreterChange)[]): Html {
  if (changes.length === 0) return NOTHING;
  const left = changes.length - MOST_CHANGES;
  const hasNotes = changes.some((change) => "builder" in change);
  const rows = changes
    .slice(0, MOST_CHANGES)
    .map(
      (change) =>
        html`<tr><th scope="row">${change.name}</th><td>${kindOf(change)}</td><td class="breaks">${change.from ?? "–"}</td><td class="breaks">${change.to ?? "–"}</td>${"builder" in change ? html`<td class="breaks">${noteOf(change)}</td>` : NOTHING}</tr>`,
    );
  return html`<h3>${title}</h3>
<div class="frame" tabindex="0" role="region" aria-label="${title} that differ">
<table class="differing"><caption class="visually-hidden">${title} that differ</caption>
<thead><tr><th scope="col">Name</th><th scope="col">Is</th><th scope="col">From</th><th scope="col">To</th>${hasNotes ? html`<th scope="col">Besides</th>` : NOTHING}</tr></thead>
<tbody>${rows}</tbody></table></div>
${left > 0 ? html`<p>And ${numberText(left)} more.</p>` : NOTHING}`;
}

function kindOf({ from, to }: Change): string {
  if (to === null) return "gone";
  return from === null ? "new" : "another";
}

function noteOf({ builder, lost, gained, missing }: InterpreterChange): string {
  return [
    ...(builder.from !== null && builder.to !== null && builder.from !== builder.to
      ? [`built by ${BUILDER_WORDS[builder.to]}, no longer by ${BUILDER_WORDS[builder.from]}`]
      : []),
    ...(lost.length === 0 ? [] : [`now without ${lost.join(", ")}`]),
    ...(gained.length === 0 ? [] : [`now with ${gained.join(", ")}`]),
    ...(missing === null ? [] : [`left out: ${clip(printableLine(missing), 300)}`]),
  ].join("; ");
}

function filesOf({ files, paths }: ShownDifference): Html {
  const { removed, changed, added } = files;
  const lines = paths.map(
    ({ is, path }) => html`<li>${is}: <code>${clip(printableLine(path), 300)}</code></li>`,
  );
  const isAll = removed + changed + added === paths.length;
  return html`<h3>Files</h3>
<p>${numberText(removed)} gone, ${numberText(changed)} changed, ${numberText(added)} new.</p>
<details><summary>${isAll ? "All of them" : `The first ${paths.length}, what breaks most first`}</summary><ul>${lines}</ul></details>`;
}
