import { deedForm } from "../shell/deed-form.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext, Section } from "../shell/page.ts";
import type { Deed } from "../shell/deed.ts";
import type { Place } from "../shell/place.ts";

export interface Question {
  readonly section: Section | null;
  /** `Cancel this job?` */
  readonly heading: string;
  /** What is, and what comes of it. */
  readonly told: Html;
  readonly deed: Deed;
  /** What else is asked, before the button. */
  readonly fields?: Html;
  /** Of the button: what it does. */
  readonly button: string;
  /** Where one comes back to, done or not. */
  readonly back: Place;
}

/** Asks before something is done that hurts. */
export function confirmPage(question: Question, context: PageContext): Page {
  const { section, heading, told, deed, fields = NOTHING, button, back } = question;
  const backTo = context.site.href(back);
  return {
    title: heading,
    section,
    main: html`<h1>${heading}</h1>
${told}
${deedForm(context, deed, html`${fields}<p class="deeds"><button>${button}</button>${backTo === null ? NOTHING : html`<a href="${backTo}">Leave it as it is</a>`}</p>`, backTo)}
${context.viewer.formToken === null ? html`<p>A token alone changes nothing here: log in with this browser, or use the farm's API.</p>` : NOTHING}`,
  };
}
