import type { AttemptJson } from "../../model/result-json.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import { durationText } from "../shell/times.ts";
import { bytesText, counted, line, lines } from "./texts.ts";

const MOST = 100;

/** What was seen besides the tests; what there was none of is not named. */
export function evidenceSection({ evidence, plan }: AttemptJson): Html {
  const { limits, smoke, overlay } = evidence;
  const parts = [
    list("Why the report was not believed", evidence.contradictions),
    list("What was changed to make it build or run", evidence.repairs),
    list("Failed here, and passed on the kind of machine that confirmed", evidence.differing, true),
    smoke.length === 0 ? null : smokeTable(smoke),
    evidence.refused.length === 0 ? null : refusedTable(evidence.refused),
    list("Tried to write outside of its own directories", evidence.attempts, true),
    limits === null ? null : limitsTable(limits),
    list(
      "Modules of the standard library that this build of the interpreter lacks",
      evidence.gaps,
      true,
    ),
    plan.rejected.length === 0 ? null : rejectedTable(plan.rejected),
    overlay === undefined ? null : overlayList(overlay),
  ].filter((part) => part !== null);
  return html`<h2 id="evidence">Evidence</h2>
<dl class="facts">
<dt>Plan</dt><dd>${plan.rung === null ? "none was run" : line(plan.rung, 100)}</dd>
${plan.command === null ? NOTHING : html`<dt>Command</dt><dd><code>${line(plan.command, 2000)}</code></dd>`}
${evidence.installedPath === null ? NOTHING : html`<dt>Imported from</dt><dd><code>${line(evidence.installedPath)}</code></dd>`}
</dl>
${parts}`;
}

function list(title: string, texts: readonly string[], isCode = false): Html | null {
  if (texts.length === 0) return null;
  const items = texts
    .slice(0, MOST)
    .map((text) =>
      isCode ? html`<li><code>${line(text)}</code></li>` : html`<li>${line(text)}</li>`,
    );
  return html`<h3>${title}</h3><ul class="breaks">${items}</ul>${more(texts.length)}`;
}

function more(count: number): Html {
  return count > MOST ? html`<p>And ${counted(count - MOST, "more", "more")}.</p>` : NOTHING;
}

function table(
  title: string,
  heads: readonly string[],
  rows: readonly Html[],
  count: number,
): Html {
  return html`<h3>${title}</h3><div class="frame" tabindex="0" role="region" aria-label="${title}"><table>
<caption class="visually-hidden">${title}</caption>
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead><tbody>${rows}</tbody></table></div>${more(count)}`;
}

function refusedTable(refused: AttemptJson["evidence"]["refused"]): Html {
  return table(
    "Refused connections",
    ["Where to", "What was asked", "How often"],
    refused
      .slice(0, MOST)
      .map(
        ({ target, kind, count }) =>
          html`<tr><th scope="row"><code>${line(target)}</code></th><td>${kind === "dns" ? "its address" : "a connection"}</td><td>${count === 1 ? "once" : `${count.toLocaleString("en")} times`}</td></tr>`,
      ),
    refused.length,
  );
}

const SMOKE_WORDS = {
  import: "import",
  script: "script",
  check: "installed distributions",
} as const;

function smokeTable(smoke: AttemptJson["evidence"]["smoke"]): Html {
  return table(
    "What did not answer when it was installed",
    ["What", "Name", "What it said"],
    smoke
      .slice(0, MOST)
      .map(
        ({ what, name, text }) =>
          html`<tr><td>${SMOKE_WORDS[what]}</td><th scope="row"><code>${line(name)}</code></th><td><pre class="said">${lines(text, 2000)}</pre></td></tr>`,
      ),
    smoke.length,
  );
}

function rejectedTable(rejected: AttemptJson["plan"]["rejected"]): Html {
  return html`<details><summary>Other plans that were looked at <span class="soft">(${rejected.length})</span></summary>${table(
    "Plans that were not taken",
    ["Rung", "Why not"],
    rejected
      .slice(0, MOST)
      .map(
        ({ rung, why }) =>
          html`<tr><th scope="row">${line(rung, 100)}</th><td>${line(why)}</td></tr>`,
      ),
    rejected.length,
  )}</details>`;
}

function limitsTable(limits: NonNullable<AttemptJson["evidence"]["limits"]>): Html {
  const times = (count: number) => (count === 0 ? "no" : counted(count, "time"));
  return html`<h3>What it took of its machine</h3><dl class="facts">
<dt>Memory at its peak</dt><dd>${bytesText(limits.memoryPeakBytes)}</dd>
<dt>Ended for want of memory</dt><dd>${limits.oomKills === 0 ? "no process" : counted(limits.oomKills, "process", "processes")}</dd>
<dt>Time of processors</dt><dd>${durationText(limits.cpuSeconds)}</dd>
<dt>Written to disk</dt><dd>${bytesText(limits.diskBytes)}${limits.diskFull ? ", and the disk was full" : ""}</dd>
<dt>More processes than it may</dt><dd>${times(limits.pidsRefused)}</dd>
</dl>`;
}

function overlayList(overlay: NonNullable<AttemptJson["evidence"]["overlay"]>): Html {
  const given = [
    ...overlay.releases.map(({ project, version, file }) =>
      file === null ? `${project}==${version}` : `${project} by ${file.filename}`,
    ),
    ...(overlay.before === null ? [] : [`the index of before ${overlay.before}`]),
    ...Object.entries(overlay.env).map(([name, value]) => `${name}=${value}`),
  ];
  const used = overlay.used.map(
    ({ project, installed }) => `${project}: ${installed ?? "not installed"}`,
  );
  return html`${list("Given by an experiment", given, true) ?? NOTHING}${list("Of that was used", used, true) ?? NOTHING}${
    overlay.unsatisfied === null ? NOTHING : html`<p>${line(overlay.unsatisfied)}</p>`
  }`;
}
