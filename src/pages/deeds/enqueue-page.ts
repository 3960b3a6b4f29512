import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { deedForm } from "../shell/deed-form.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Page, PageContext } from "../shell/page.ts";

/** As many as the API takes at once. */
export const MOST_TARGETS = 50;
const MAX_TARGET = 200;

/** Where somebody says what is to be tested. @param configurations those that can be asked for. @param target to begin with. */
export function enqueuePage(
  configurations: readonly string[],
  target: string,
  context: PageContext,
): Page {
  const ahead = context.viewer.may("change-queue", FARM)
    ? html`<p class="choice"><label><input type="checkbox" name="lane" value="manual"> ahead of all others</label></p>`
    : NOTHING;
  return {
    title: "Have something tested",
    section: "queue",
    main: html`<h1>Have something tested</h1>
${deedForm(
  context,
  { kind: "enqueue" },
  html`<p class="label"><label for="targets">What, one in a line</label></p>
<p class="field"><textarea id="targets" name="targets" rows="4" cols="60" required spellcheck="false" autocapitalize="none" aria-describedby="targets-help">${clip(printableLine(target), MAX_TARGET)}</textarea></p>
<p class="field soft" id="targets-help">A project (<code>lmdb</code>), a release (<code>attrs==25.3.0</code>) or a repository (<code>git+https://git.example/owner/name@branch</code>): ${MOST_TARGETS} at most.</p>
<p class="label"><label for="configurations">On which configurations</label></p>
<p class="field"><select id="configurations" name="configurations">${optionsOf(configurations)}</select></p>
${ahead}<p><button>Add to the queue</button></p>`,
  context.site.href({ kind: "queue" }),
)}
${context.viewer.formToken === null ? html`<p>A token alone changes nothing here: log in with this browser, or use the farm's API.</p>` : NOTHING}`,
  };
}

function optionsOf(configurations: readonly string[]): readonly Html[] {
  return [
    html`<option value="priority" selected>those with priority</option>`,
    html`<option value="all">all of them</option>`,
    ...configurations.map(
      (name) => html`<option value="${name}">${configurationWords(name)} alone</option>`,
    ),
  ];
}
