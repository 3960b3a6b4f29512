import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";

/** What a page with a log that grows has to load, besides what all pages do. */
export const LIVE_LOG_SCRIPTS = ["log-follow.js"] as const;

/**
 * The log of an attempt that runs, below a heading of the page's own: with LIVE_LOG_SCRIPTS it grows while the attempt runs.
 * @returns nothing where the page is a file: no farm answers there.
 */
export function liveLog(id: string, { site }: PageContext): Html {
  if (site.kind !== "live") return NOTHING;
  const events = `/api/v1/attempts/${encodeURIComponent(id)}/log/live`;
  const attempt = site.href({ kind: "attempt", id }) ?? "";
  return html`<div class="log-live" data-events="${events}">
<noscript><p>Without scripts this page does not follow the log. <a href="${attempt}">Load it again</a> once the attempt has ended, or read <a href="${events}">the events</a> themselves.</p></noscript>
<p class="log-bar"><span class="log-state" role="status">Connecting…</span> <button type="button" aria-pressed="false">Pause</button> <a class="log-ended" href="${attempt}" hidden>Show the result</a></p>
<div class="log-pane" tabindex="0" role="log" aria-live="off" aria-label="Log of the attempt, as it grows"><pre class="log"></pre></div>
<p class="log-gone soft">The newest 5,000 lines are shown.</p>
</div>`;
}
