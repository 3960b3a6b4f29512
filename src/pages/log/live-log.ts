import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";

/**
 * The log of an attempt that runs, below a heading of the page's own: with LOG_SCRIPTS it grows while the attempt runs.
 * @returns nothing where the page is a file: no farm answers there.
 */
export function liveLog(id: string, { site }: PageContext): Html {
  if (site.kind !== "live") return NOTHING;
  const events = `/api/v1/attempts/${encodeURIComponent(id)}/log/live`;
  const attempt = site.href({ kind: "attempt", id }) ?? "";
  return html`<div class="log-live" data-events="${events}">
<noscript><p>Without scripts this page does not follow the log. <a href="${attempt}">Load it again</a> once the attempt has ended, or read <a href="${events}">the events</a> themselves.</p></noscript>
<p class="log-bar" hidden><span class="log-state" role="status">Connecting…</span> <button type="button" aria-pressed="false">Pause</button> <a class="log-ended" href="${attempt}" hidden>Show the result</a></p>
<div class="log-pane" tabindex="0" role="log" aria-label="Log of the attempt, as it grows" hidden><p class="log-gap" hidden></p><pre class="log"></pre></div>
</div>`;
}
