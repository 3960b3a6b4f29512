import { html, NOTHING, type Html } from "./html.ts";
import type { PageContext } from "./page.ts";

/**
 * Where a page says whether it is live, and how it is paused (client/live.js); empty without scripts. A page that is live has
 * it once, names `live.js` among its scripts, and marks what changes with `data-live="ID"` (docs/pages.md).
 * @param project whose changes alone wake the page; all that who looks gets to see, where it is left out.
 */
export function liveBar({ site }: Pick<PageContext, "site">, project?: string): Html {
  if (site.kind !== "live") return NOTHING;
  const button = html`<button type="button" hidden>Pause live updates</button><span role="status"></span>`;
  return project === undefined
    ? html`<p class="live" id="live">${button}</p>`
    : html`<p class="live" id="live" data-project="${project}">${button}</p>`;
}
