import { html, NOTHING, type Html } from "./html.ts";
import type { PageContext } from "./page.ts";
import type { Place } from "./place.ts";

/** The field in which each form shows that a page of the very session was its source. */
export const FORM_TOKEN = "form_token";
/** The field that says where to go on to. */
export const GO_ON_TO = "to";

/**
 * A form that changes something, without scripts; NOTHING where who looks has no session to change anything in.
 * @param inside its fields and button. @param to where one goes on to, by default to this very page.
 */
export function deedForm(
  { site, viewer, here }: Pick<PageContext, "site" | "viewer" | "here">,
  place: Place,
  inside: Html,
  to: string | null = here,
): Html {
  const action = site.href(place);
  if (viewer.formToken === null || action === null) return NOTHING;
  const goOn = to === null ? NOTHING : html`<input type="hidden" name="${GO_ON_TO}" value="${to}">`;
  return html`<form class="inline" method="post" action="${action}"><input type="hidden" name="${FORM_TOKEN}" value="${viewer.formToken}">${goOn}${inside}</form>`;
}

/** One button that does something at once. @param about what is heard besides, where a page has several of them. */
export function deedButton(
  context: Pick<PageContext, "site" | "viewer" | "here">,
  place: Place,
  text: string,
  about: string,
): Html {
  return deedForm(
    context,
    place,
    html`<button>${text}<span class="visually-hidden"> ${about}</span></button>`,
  );
}

/** The way to the page that asks first, for what hurts. */
export function deedLink(
  { site, viewer }: Pick<PageContext, "site" | "viewer">,
  place: Place,
  text: string,
  about: string,
): Html {
  const href = site.href(place);
  if (viewer.formToken === null || href === null) return NOTHING;
  const more = about === "" ? NOTHING : html`<span class="visually-hidden"> ${about}</span>`;
  return html`<a href="${href}" rel="nofollow">${text}${more}</a>`;
}
