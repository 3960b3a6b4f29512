import { AXIS_NAMES } from "../../model/axes.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";
import { lookOf, verdictMark } from "../shell/words.ts";
import type { ReadAttempt } from "./read-attempt.ts";
import { AXIS_WORDS, counted, line } from "./texts.ts";

/** As much of a hash as tells it from others. */
const HASH_CHARS = 16;

/** All that the outcome may depend on: axes beside those of the baseline, and the lock. */
export function inputsSection(read: ReadAttempt, context: PageContext): Html {
  const { stored, baseline } = read;
  const { axes } = stored.attempt;
  const old = baseline?.stored.attempt.axes ?? null;
  const rows = AXIS_NAMES.filter((axis) => axis !== "overlay" || axes.overlay !== undefined).map(
    (axis) => {
      const value = axes[axis];
      const before = old?.[axis];
      const differs = old !== null && value !== before;
      return html`<tr><th scope="row">${AXIS_WORDS[axis]}</th><td><code>${shown(value)}</code></td>${
        old === null
          ? NOTHING
          : html`<td>${differs ? html`<span class="soft">was</span> <code>${shown(before)}</code>` : "the same"}</td>`
      }</tr>`;
    },
  );
  return html`<h2 id="inputs">All that the outcome may depend on</h2>
<div class="frame" tabindex="0" role="region" aria-label="Axes"><table class="axes"><caption class="visually-hidden">Axes of this attempt${old === null ? "" : ", beside those of the attempt before"}</caption>
<thead><tr><th scope="col">What</th><th scope="col">Here</th>${old === null ? NOTHING : html`<th scope="col">In the attempt before</th>`}</tr></thead>
<tbody>${rows}</tbody></table></div>
${lockPart(read, context)}`;
}

function shown(value: string | null | undefined): string {
  const text = value ?? "none";
  return /^[0-9a-f]{64}$/u.test(text) ? `${text.slice(0, HASH_CHARS)}…` : line(text, 130);
}

function lockPart({ lock, stored }: ReadAttempt, { site }: PageContext): Html {
  const { evidence, id } = stored.attempt;
  if (evidence.lock === null) return NOTHING;
  if (lock === null) return html`<p>Its lock is not kept any more.</p>`;
  const linked = (what: "pylock.toml" | "pylock.build.toml"): Html => {
    const href = site.href({ kind: "download", id, what });
    return href === null ? html`<code>${what}</code>` : html`<a href="${href}">${what}</a>`;
  };
  const file =
    evidence.buildLock === undefined
      ? linked("pylock.toml")
      : html`${linked("pylock.toml")}, and of what was built with ${linked("pylock.build.toml")}`;
  if (lock === "unread") return html`<p>What the index gave it: ${file}.</p>`;
  const { releases, left } = lock;
  return html`<details><summary>What the index gave it <span class="soft">(${counted(releases.length + left, "distribution")})</span></summary>
<ul class="locked">${releases.map(({ name, version }) => html`<li><code>${line(name, 100)}${version === "" ? "" : `==${line(version, 100)}`}</code></li>`)}</ul>
${left > 0 ? html`<p>And ${counted(left, "more", "more")}.</p>` : NOTHING}</details>
<p>As a lock file (PEP 751): ${file}</p>`;
}

/** How to have it again, and which attempts were the same. */
export function againSection({ stored, of, reruns }: ReadAttempt, { site }: PageContext): Html {
  const { attempt, reason } = stored;
  const link = (id: string): Html => {
    const href = site.href({ kind: "attempt", id });
    return href === null ? html`<code>${id}</code>` : html`<a href="${href}">${id}</a>`;
  };
  const confirming = reruns.filter((rerun) => rerun.reason === "confirm");
  const others = reruns.filter((rerun) => rerun.reason !== "confirm");
  const listed = (ids: typeof reruns) =>
    html`<ul>${ids.slice(0, 20).map(({ id, outcome, causeKind }) => html`<li>${link(id)} ${verdictMark(lookOf(outcome, causeKind))}</li>`)}</ul>`;
  return html`<h2 id="again">Again</h2>
<p>The same image, files and plan, on any host of the farm:</p>
<pre class="said">./creamery reproduce ${attempt.id}</pre>
${of === null ? NOTHING : html`<p>It ran attempt ${link(of)} again${reason === "confirm" ? ", to confirm it" : ""}.</p>`}
${confirming.length === 0 ? NOTHING : html`<p>To confirm it were run:</p>${listed(confirming)}`}
${others.length === 0 ? NOTHING : html`<p>It was run again:</p>${listed(others)}`}`;
}
