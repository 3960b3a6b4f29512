import { clip, printableLine } from "../../base/bounded-text.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { lineRows } from "./line-markup.ts";
import { endsWell, pageOfLine, type LogView, type ShownSection } from "./log-view.ts";

/** What a page with a log has to load, besides what all pages do. */
export const LOG_SCRIPTS = ["log.js", "log-find.js"] as const;

/**
 * The log of an attempt within a page, below a heading of the page's own: its steps, folded but for the one that tells most.
 * It fits into a page however long the log is; with LOG_SCRIPTS all of it can be looked through in place.
 */
export function logPanel(view: LogView, context: PageContext): Html {
  const { site } = context;
  const { id, sections, isWhole } = view;
  const isLive = site.kind === "live";
  const lines = isLive ? (site.href({ kind: "log-part", id, part: "lines" }) ?? "") : "";
  const panel =
    isLive && !isWhole ? (site.href({ kind: "log-part", id, part: "panel" }) ?? "") : "";
  return html`<div class="log-panel" data-lines="${lines}" data-panel="${panel}">
<p class="soft">${factsOf(view)}${linksOf(view, context)}</p>
${isLive ? lineForm(id, context) : NOTHING}<p class="log-said soft" role="status"></p>
${sections.map((section) => sectionPart(section, view, context))}
</div>`;
}

function factsOf({ lines, sizeBytes, isWhole }: LogView): Html {
  return isWhole
    ? html`${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}, ${sizeText(sizeBytes)}. `
    : html`The log (${sizeText(sizeBytes)}) is still being read; this is its beginning. `;
}

function linksOf({ id, lines }: LogView, { site }: PageContext): Html {
  const page = lines === 0 ? null : site.href({ kind: "log", id, page: 1 });
  const whole = site.href({ kind: "download", id, what: "log.txt" });
  return html`${page === null ? NOTHING : html`<a href="${page}">Page by page</a>`}${
    page === null || whole === null ? NOTHING : " · "
  }${whole === null ? NOTHING : html`<a href="${whole}">The whole log, as it was written</a>`}`;
}

/** Leads to a line by its number or by what stands in it; answered by a page where there are no scripts. */
export function lineForm(id: string, { site }: PageContext): Html {
  const find = site.href({ kind: "log-part", id, part: "find" });
  if (find === null) return NOTHING;
  return html`<form class="log-find" action="${find}" method="get"><label for="log-text">Find in the log</label><input id="log-text" name="text" maxlength="200" autocomplete="off" spellcheck="false"><label for="log-line">or go to line</label><input id="log-line" name="line" inputmode="numeric" pattern="[0-9]{1,12}" maxlength="12" size="8" autocomplete="off"><button>Go</button></form>
`;
}

/** Leads to where the lines that matter stand in the log, as far as one of them can be looked for. */
export function foundInLog(id: string, lines: readonly string[], { site }: PageContext): Html {
  // Where they were cut or escaped, they are not as the package wrote them.
  const text = lines.map((line) => line.replace(/…$/u, "").trim()).find(isWanted);
  if (text === undefined) return NOTHING;
  const href = site.href({ kind: "log-part", id, part: "find", parameters: { text } });
  return href === null
    ? NOTHING
    : html`<p><a class="in-log" href="${href}">Show them in the log</a></p>`;
}

function isWanted(text: string): boolean {
  return text.length >= 4 && text.length <= 200 && !/\\[xu][0-9a-f]/u.test(text);
}

function sectionPart(section: ShownSection, view: LogView, context: PageContext): Html {
  const { step, from, count, isOpen, isWhole, parts } = section;
  const name = step === "" ? "before the first step" : clip(printableLine(step), 60);
  const page = context.site.href({
    kind: "log",
    id: view.id,
    page: pageOfLine(from),
    fragment: `L${from}`,
  });
  const [head = [], tail] = parts;
  const missing = count - head.length - (tail?.length ?? 0);
  const gap =
    missing === 0
      ? NOTHING
      : html`<p class="log-gap">${missing.toLocaleString("en")} ${
          missing === 1 ? "line" : "lines"
        } of this step ${missing === 1 ? "is" : "are"} not shown here.${
          page === null ? NOTHING : html` <a href="${page}">Read this step page by page</a>`
        }</p>`;
  const shown = html`${rowsOf(head)}${gap}${tail === undefined ? NOTHING : rowsOf(tail)}`;
  return html`<details class="log-step" data-from="${from}" data-count="${count}" data-whole="${isWhole ? "yes" : "no"}"${isOpen ? html` open` : NOTHING}>
<summary>${sectionTitle(section)}</summary>
<div class="log-pane" tabindex="0" role="region" aria-label="Log of ${name}, from line ${from}">${shown}</div>
</details>
`;
}

/** A step in one line: its name, its command, how it ended. */
export function sectionTitle({
  step,
  command,
  end,
  count,
}: Pick<ShownSection, "step" | "command" | "end" | "count">): Html {
  const name = step === "" ? "before the first step" : clip(printableLine(step), 60);
  const lines = `${count.toLocaleString("en")} ${count === 1 ? "line" : "lines"}`;
  const ended =
    end === null
      ? NOTHING
      : html` <span class="log-end ${endsWell(end) ? "v-skip" : "v-fail"}">${clip(printableLine(end), 80)}</span>`;
  return html`<span class="log-name">${name}</span> <code>${clip(printableLine(command), 200)}</code>${ended} <span class="soft">${lines}</span>`;
}

function rowsOf(lines: Parameters<typeof lineRows>[0]): Html {
  return lines.length === 0 ? NOTHING : html`<pre class="log">${lineRows(lines)}</pre>`;
}

function sizeText(bytes: number): string {
  if (bytes < 10_000) return `${bytes.toLocaleString("en")} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1e5) / 10} MB`;
}
