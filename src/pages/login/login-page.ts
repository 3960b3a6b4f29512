import { clip, printableLine } from "../../base/bounded-text.ts";
import type { Scope } from "../../model/principals.ts";
import type { SessionWay } from "../../model/sessions.ts";
import { deedForm, GO_ON_TO } from "../shell/deed-form.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";
import { timeAgo } from "../shell/times.ts";

const MAX_TOKEN_CHARS = 200;
const MAX_NAME = 100;

export interface LoginFacts {
  /** Where one goes on to, path and query; null for the first page. */
  readonly to: string | null;
  /** Why it did not work, for a person, without a full stop; null before it was tried. */
  readonly wrong: string | null;
  /** Whether nobody on the way can read what is sent. */
  readonly isPrivateWay: boolean;
  /** Of the operator's provider of OpenID Connect, to be recognised; null where there is none. */
  readonly provider: string | null;
}

/** The way in. */
export function loginPage(facts: LoginFacts, { site }: PageContext): Page {
  const { isPrivateWay, provider } = facts;
  const isEither = provider !== null && isPrivateWay;
  return {
    title: "Log in",
    section: null,
    main: html`<h1>Log in</h1>
<p class="lead">What is public is there for everybody: log in to see private projects, or to run the farm.</p>
${wrongOf(facts)}
${
  isEither
    ? html`<h2>With your own login</h2>
<p><a class="button" href="${site.href({ kind: "login-provider", ...(facts.to === null ? {} : { parameters: { to: facts.to } }) }) ?? ""}" rel="nofollow">Log in at ${clip(printableLine(provider), MAX_NAME)}</a></p>
<h2>With a token</h2>`
    : NOTHING
}
${isPrivateWay ? tokenForm(facts, site.href({ kind: "login" }) ?? "") : inTheClear()}`,
  };
}

function wrongOf({ wrong }: LoginFacts): Html {
  if (wrong === null) return NOTHING;
  return html`<p class="wrong" id="wrong" role="alert">That did not work: ${wrong}.</p>`;
}

function tokenForm({ to, wrong }: LoginFacts, action: string): Html {
  const goOn = to === null ? NOTHING : html`<input type="hidden" name="${GO_ON_TO}" value="${to}">`;
  const described = wrong === null ? "token-help" : "wrong token-help";
  return html`<form class="login" method="post" action="${action}" autocomplete="off">${goOn}
<p class="label"><label for="token">Token</label></p>
<p class="field"><input id="token" name="token" type="password" maxlength="${String(MAX_TOKEN_CHARS)}" required autocomplete="off" autocapitalize="none" spellcheck="false" aria-describedby="${described}"${
    wrong === null ? NOTHING : html` aria-invalid="true"`
  }></p>
<p class="field soft" id="token-help">As the farm's operator made it for you: it begins with <code>creamery_person_</code> or <code>creamery_program_</code>.</p>
<p><button>Log in</button></p>
</form>`;
}

function inTheClear(): Html {
  return html`<p class="wrong">This page came without encryption, and so would your token go: others could read it. Open the farm by <code>https</code>. Where a proxy speaks it for the farm, its operator names that proxy in <code>trusted_proxies</code>.</p>`;
}

export interface OwnSession {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Normalised names that who logged in is bound to; null for all. */
  readonly projects: readonly string[] | null;
  readonly how: SessionWay;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  /** Sessions of the same principal, this one among them. */
  readonly sessions: number;
}

const MAY: Readonly<Record<Scope, string>> = {
  worker: "a worker's work",
  operate: "see and change the queue, drain hosts, choose what is watched, promote images",
  "read-private": "see private projects",
  enqueue: "have something tested",
  admin: "everything that people can do here, and say who else may",
};

/** Who is logged in, with what, until when; and the ways out. */
export function ownSessionPage(session: OwnSession, context: PageContext): Page {
  const { name, scopes, projects, how, createdAtMs, expiresAtMs, sessions } = session;
  const may =
    scopes.length === 0
      ? html`<dd>see what is public, as everybody</dd>`
      : scopes.map((scope) => html`<dd>${MAY[scope]}</dd>`);
  return {
    title: "Your login",
    section: null,
    main: html`<h1>Your login</h1>
<p class="lead">You are logged in as ${clip(printableLine(name), MAX_NAME)}.</p>
<dl class="facts">
<dt>May</dt>${may}
${projects === null ? NOTHING : html`<dt>Of</dt><dd>${boundTo(projects)}, and nothing else</dd>`}
<dt>Since</dt><dd>${timeAgo(createdAtMs, context.nowMs)}, ${how === "token" ? "with a token" : "at the operator's provider"}</dd>
<dt>Until</dt><dd>${timeAgo(expiresAtMs, context.nowMs)} at the latest, or after 12 hours without use</dd>
<dt>Browsers</dt><dd>${sessions === 1 ? "this one alone" : `this one and ${sessions - 1} more`}</dd>
</dl>
<div class="deeds">${deedForm(context, { kind: "logout" }, html`<button>Log out here</button>`, null)}
${deedForm(context, { kind: "logout" }, html`<input type="hidden" name="everywhere" value="yes"><button>Log out everywhere</button>`, null)}</div>`,
  };
}

const MOST_NAMES = 20;

function boundTo(projects: readonly string[]): string {
  const shown = projects.slice(0, MOST_NAMES).join(", ");
  const more = projects.length - MOST_NAMES;
  return more > 0 ? `${shown} and ${more} more` : shown;
}
