import { clip, printableLine } from "../../base/bounded-text.ts";
import { html, markupOf, NOTHING, type Html } from "./html.ts";
import type { Page, PageContext, Section } from "./page.ts";
import type { Place } from "./place.ts";
import { deedForm } from "./deed-form.ts";
import { toldText } from "./told.ts";
import { instantText } from "./times.ts";

const NAVIGATION: readonly (readonly [Section & Place["kind"], string])[] = [
  ["home", "Farm"],
  ["changes", "Changes"],
  ["queue", "Queue"],
  ["hosts", "Hosts"],
  ["images", "Images"],
  ["about", "About"],
];

const MAX_NAME = 40;

/**
 * What a farm says with each answer, files have to say themselves. They have no scripts and send nothing; to a browser that
 * opened one from a disk, `'self'` is nothing or all of the disk, so that their own style sheet is named by its scheme.
 */
const FILES_POLICY = [
  "default-src 'none'",
  "style-src 'self' file:",
  "img-src 'self' file:",
  "form-action 'none'",
  "base-uri 'none'",
].join("; ");

/** A page in its shell, whole: what a browser gets. */
export async function documentOf(page: Page, context: PageContext): Promise<string> {
  const { site } = context;
  const title = clip(printableLine(page.title), 200);
  const style = site.href({ kind: "asset", name: "style.css" }) ?? "";
  const icon = site.href({ kind: "asset", name: "icon.svg" }) ?? "";
  const scripts = (["shell.js", ...(page.scripts ?? [])] as const).map((name) => {
    const source = site.href({ kind: "asset", name });
    return source === null ? NOTHING : html`<script type="module" src="${source}"></script>`;
  });
  const feed =
    page.feed === undefined
      ? NOTHING
      : html`<link rel="alternate" type="application/atom+xml" href="${page.feed.href}" title="${page.feed.title}">`;
  return markupOf(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
${site.kind === "files" ? html`<meta http-equiv="Content-Security-Policy" content="${FILES_POLICY}">\n` : NOTHING}<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Creamery</title>
<link rel="stylesheet" href="${style}">
<link rel="icon" href="${icon}" type="image/svg+xml">
${feed}${scripts}
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
${headerOf(page, context)}
<main id="main" tabindex="-1">
${context.told === null ? NOTHING : html`<p class="told" role="status">${toldText(context.told)}</p>`}${page.main}
</main>
${footerOf(context)}
</body>
</html>
`);
}

function headerOf({ section }: Page, context: PageContext): Html {
  const { site } = context;
  const links = NAVIGATION.map(([kind, text]) => {
    const href = site.href({ kind });
    if (href === null) return NOTHING;
    return kind === section
      ? html`<li><a href="${href}" aria-current="page">${text}</a></li>`
      : html`<li><a href="${href}">${text}</a></li>`;
  });
  const search = site.kind === "live" ? site.href({ kind: "search" }) : null;
  return html`<header class="top">
<nav aria-label="Farm"><ul>${links}</ul></nav>
${
  search === null
    ? NOTHING
    : html`<form class="search" role="search" action="${search}" method="get"><label for="q">Search</label><input id="q" name="q" type="search" maxlength="200" autocomplete="off" spellcheck="false" placeholder="project or attempt" aria-keyshortcuts="/"><button>Go</button></form>`
}
${whoOf(context)}
</header>`;
}

/** Who is logged in, and the way out; or the way in. */
function whoOf(context: PageContext): Html {
  const { site, viewer, here } = context;
  if (site.kind !== "live") return NOTHING;
  if (viewer.name === null) {
    const to = here === null || here === "/" ? {} : { parameters: { to: here } };
    return html`<p class="who"><a href="${site.href({ kind: "login", ...to }) ?? ""}" rel="nofollow">Log in</a></p>`;
  }
  const name = clip(printableLine(viewer.name), MAX_NAME);
  return html`<div class="who"><a href="${site.href({ kind: "login" }) ?? ""}"><span class="visually-hidden">Logged in as </span>${name}</a>${deedForm(context, { kind: "logout" }, html`<button>Log out</button>`)}</div>`;
}

function footerOf({ site, writtenAt }: PageContext): Html {
  const written =
    writtenAt === undefined
      ? NOTHING
      : html` Written of what the farm knew at ${instantText(writtenAt)}.`;
  const links = html` <a href="/api/v1/docs">API</a> · <a href="/api/v1/export/results.sqlite">All public results</a>`;
  return html`<footer><p>Creamery tests each release of each package on each interpreter.${
    site.kind === "live" ? links : written
  }</p></footer>`;
}
