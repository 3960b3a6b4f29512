import Anser from "anser";

import { printable } from "../../base/bounded-text.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { colourName } from "./colour-name.ts";
import type { LogLine } from "./kept-log.ts";

const MOST_CHARS = 2000;
/** Of one piece of a log: where a package wrote more, each of the other lines is cut short. */
const MOST_CHARS_TOGETHER = 512 * 1024;
const FEW_CHARS = 200;
/** A package can give each character a colour of its own. */
const MOST_SPANS = 100;

/** OSC (titles, links) and other sequences that are no colours: nobody needs to see them. */
const SEQUENCES = /\u001b(?:\][^\u0007\u001b]{0,2000}(?:\u0007|\u001b\\)|[()][0-9A-B]|[=>78])/gu;
const DECORATIONS = ["bold", "dim", "italic", "underline", "strikethrough"] as const;

/** Lines of a log, each with its number, which is a link to it. */
export function lineRows(lines: readonly LogLine[], href = ""): Html {
  let chars = 0;
  return html`${lines.map((line) => {
    const most = chars > MOST_CHARS_TOGETHER ? FEW_CHARS : MOST_CHARS;
    chars += Math.min(line.text.length, most);
    return lineRow(line, most, href);
  })}`;
}

/** @param href of the page that the line stands in; empty on that page. */
function lineRow({ number, text, cutBytes }: LogLine, mostChars: number, href: string): Html {
  const shown = text.length > mostChars ? text.slice(0, mostChars) : text;
  const left = cutBytes + Buffer.byteLength(text.slice(shown.length));
  const rest =
    left === 0
      ? NOTHING
      : html`<i class="left-out"> … ${left.toLocaleString("en")} bytes left out</i>`;
  return html`<span class="row" id="L${number}"><a href="${href}#L${number}" tabindex="-1">${number}</a><span class="said">${coloured(shown)}${rest}</span>
</span>`;
}

/** The text of a line, in its colours as far as they can be read on our grounds. */
export function coloured(text: string): Html {
  if (!text.includes("\u001b")) return html`${printable(text)}`;
  const plain = text.replaceAll(SEQUENCES, "");
  const spans = Anser.ansiToJson(plain, { json: true, use_classes: true, remove_empty: true });
  const classed = spans.slice(0, MOST_SPANS).map((span) => {
    const { content, fg, bg, fg_truecolor, bg_truecolor, decorations } = span;
    const ground = colourName(bg, bg_truecolor);
    const colour = ground ?? colourName(fg, fg_truecolor);
    const classes = [
      ...(colour === null ? [] : [`ansi-${colour}${ground === null ? "" : "-ground"}`]),
      ...DECORATIONS.filter((one) => decorations.includes(one)).map((one) => `ansi-${one}`),
    ];
    return classes.length === 0
      ? html`${printable(content)}`
      : html`<span class="${classes.join(" ")}">${printable(content)}</span>`;
  });
  const rest = spans.slice(MOST_SPANS).map(({ content }) => content);
  return html`${classed}${printable(rest.join(""))}`;
}
