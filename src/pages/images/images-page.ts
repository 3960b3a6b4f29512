import { clip, printableLine } from "../../base/bounded-text.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { bytesText, numberText } from "../shell/numbers.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";
import { BUILDER_WORDS } from "./builder-words.ts";
import { differenceOf } from "./difference.ts";
import { imageActions } from "./image-actions.ts";
import type { ShownDifference, ShownImage } from "./read-images.ts";

export interface ImagesFacts {
  readonly images: readonly ShownImage[];
  /** Of the two that were asked for; null where none were. */
  readonly difference: ShownDifference | null;
}

const CHANNEL_WORDS = { stable: "tests run on it", next: "built last" } as const;

export function imagesPage({ images, difference }: ImagesFacts, context: PageContext): Page {
  const stable = images.find(({ channels }) => channels.includes("stable"));
  return {
    title: difference === null ? "Images" : `Images: ${difference.from} and ${difference.to}`,
    section: "images",
    main: html`<h1>Images</h1>
<p class="lead">${
      images.length === 0
        ? "There is no image yet."
        : stable === undefined
          ? "No image is promoted: tests run on the newest."
          : html`Tests run on <a href="#${anchorOf(stable.id)}">${stable.id}</a>, with ${numberText(stable.interpreters.length)} ${stable.interpreters.length === 1 ? "interpreter" : "interpreters"}.`
    }</p>
${images.length < 2 ? NOTHING : formOf(images, difference, context)}
${difference === null ? NOTHING : differenceOf(difference)}
${images.map((image) => imageOf(image, context))}`,
  };
}

function formOf(
  images: readonly ShownImage[],
  difference: ShownDifference | null,
  { site }: PageContext,
): Html {
  const action = site.kind === "live" ? site.href({ kind: "images" }) : null;
  if (action === null) return NOTHING;
  const stable = images.find(({ channels }) => channels.includes("stable"))?.id;
  const from = difference?.from ?? stable ?? images[1]?.id ?? "";
  const to = difference?.to ?? images.find(({ id }) => id !== from)?.id ?? "";
  return html`<form class="filter" action="${action}" method="get">
<p><label for="a">What differs from</label> ${choiceOf("a", from, images)}</p>
<p><label for="b">to</label> ${choiceOf("b", to, images)}</p>
<p><button>Compare</button></p>
</form>`;
}

function choiceOf(name: string, chosen: string, images: readonly ShownImage[]): Html {
  const options = images.map(({ id, channels }) => {
    const words = channels.length === 0 ? id : `${id} (${channels.join(", ")})`;
    return id === chosen
      ? html`<option value="${id}" selected>${words}</option>`
      : html`<option value="${id}">${words}</option>`;
  });
  return html`<select id="${name}" name="${name}">${options}</select>`;
}

function anchorOf(id: string): string {
  return `i-${id.replaceAll(/[^\w.]/gu, "-")}`;
}

function imageOf(image: ShownImage, context: PageContext): Html {
  const { id, target, channels, sizeBytes, builtMs, packages, kernel, tools, missing } = image;
  const pointing = channels.map(
    (channel) =>
      html`<strong>${channel}</strong> <span class="soft">(${CHANNEL_WORDS[channel]})</span> `,
  );
  return html`<h2 id="${anchorOf(id)}">${id}</h2>
<dl class="facts">
${channels.length === 0 ? NOTHING : html`<dt>Channel</dt><dd>${pointing}</dd>`}
<dt>Target</dt><dd>${target}</dd>
<dt>Built</dt><dd>${timeAgo(builtMs, context.nowMs)}</dd>
<dt>Size</dt><dd>${bytesText(sizeBytes)}, ${numberText(packages)} Debian ${packages === 1 ? "package" : "packages"}${kernel === null ? "" : `, Linux ${kernel}`}</dd>
<dt>Tools</dt><dd>${tools.length === 0 ? "none of its own" : tools.map(({ name, version }) => `${name} ${version}`).join(", ")}</dd>
</dl>
${imageActions(image, context)}
${interpretersOf(image)}
${missing.length === 0 ? NOTHING : missingOf(image)}`;
}

function interpretersOf({ id, interpreters }: ShownImage): Html {
  const rows = interpreters.map(({ name, fullVersion, builder, lacks }) => {
    return html`<tr><th scope="row">${configurationWords(name)}</th><td>${fullVersion}</td><td>${BUILDER_WORDS[builder]}</td><td class="breaks">${
      lacks === null ? "not known" : lacks.length === 0 ? "nothing" : lacks.join(", ")
    }</td></tr>`;
  });
  return html`<div class="frame" tabindex="0" role="region" aria-label="Interpreters of ${id}">
<table class="interpreters"><caption>Interpreters, by whom they were built, and which modules of the standard library they lack</caption>
<thead><tr><th scope="col">Interpreter</th><th scope="col">Version</th><th scope="col">Built by</th><th scope="col">Lacks</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function missingOf({ missing }: ShownImage): Html {
  const items = missing.map(
    ({ name, reason, nextStep }) =>
      html`<li>${configurationWords(name)}: ${clip(printableLine(reason), 300)}. <span class="soft">Next: ${clip(printableLine(nextStep), 300)}.</span></li>`,
  );
  return html`<h3>Left out when it was built</h3><ul>${items}</ul>`;
}
