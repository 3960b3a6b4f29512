import { html, NOTHING, type Html } from "./html.ts";
import type { Page, PageContext } from "./page.ts";

export interface ErrorFacts {
  readonly status: number;
  /** For a person, a sentence without its full stop. */
  readonly detail: string;
  /** What it was about, as it was given; shown as text. */
  readonly input?: string | undefined;
  readonly nextStep?: string | undefined;
}

const HEADINGS: Readonly<Record<number, string>> = {
  400: "That can't be asked so",
  401: "Log in first",
  403: "Not yours to do",
  404: "There is nothing here",
  409: "Not as it stands now",
  429: "Too many tries",
  500: "The farm failed",
  503: "The farm can't answer at present",
};

/** What went wrong, about what, and where to go from here. */
export function errorPage(facts: ErrorFacts, { site, here }: PageContext): Page {
  const heading = HEADINGS[facts.status] ?? "That did not work";
  const search = site.href({ kind: "search" });
  const home = site.href({ kind: "home" });
  const login =
    facts.status === 401 && site.kind === "live"
      ? site.href({ kind: "login", ...(here === null ? {} : { parameters: { to: here } }) })
      : null;
  const { input, nextStep } = facts;
  const about: Html =
    input === undefined ? NOTHING : html`<p>It was asked for <code>${input}</code>.</p>`;
  return {
    title: heading,
    section: null,
    main: html`<h1>${heading}</h1>
<p class="lead">${facts.status}: ${facts.detail}.</p>
${login === null ? NOTHING : html`<p><a href="${login}">Log in</a>, and come back here.</p>`}${about}${nextStep === undefined ? NOTHING : html`<p>Next: ${nextStep}.</p>`}
<p>${search === null ? NOTHING : html`<a href="${search}">Search for a project or an attempt</a>, or `}${
      home === null ? NOTHING : html`<a href="${home}">go to the farm's first page</a>.`
    }</p>`,
  };
}
