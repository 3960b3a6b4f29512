import { clip, printableLine } from "../../base/bounded-text.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { Site } from "../shell/site.ts";
import { SIGNS, verdictMark } from "../shell/words.ts";
import type { PassCount } from "./read-matrix.ts";
import type { ProjectView } from "./read-project.ts";

const MAX_NAME_CHARS = 100;

/** Who depends on it. */
export function dependentsSection(
  { project, dependents: { count, hasMore, first } }: ProjectView,
  site: Site,
): Html {
  if (count === 0)
    return html`<h2>Who depends on it</h2>
<p>Nobody the farm has tested needs ${project.name} to run or to be built.</p>`;
  const many = hasMore
    ? `More than ${count} projects`
    : `${count} project${count === 1 ? "" : "s"}`;
  const rows = first.map(
    ({ name, passes }) =>
      html`<tr><th scope="row">${projectLink(name, site)}</th><td>${passMark(passes)}</td></tr>
`,
  );
  return html`<h2>Who depends on it</h2>
<p>${many} that the farm has tested ${count === 1 ? "needs" : "need"} ${project.name} to run or to be built${
    count > first.length
      ? html`; here are the ${first.length} on which most others depend`
      : NOTHING
  }.</p>
<table>
<caption class="visually-hidden">Who depends on ${project.name}, and how they stand</caption>
<thead><tr><th scope="col">Project</th><th scope="col">Newest results</th></tr></thead>
<tbody>${rows}</tbody>
</table>`;
}

/** `✓ passes on 8 of 9`. */
export function passMark({ passing, of }: PassCount): Html {
  if (of === 0) return verdictMark("farm");
  const look = passing === of ? "pass" : "fail";
  return html`<span class="verdict v-${look}"><span aria-hidden="true">${SIGNS[look]}</span> passes on ${passing} of ${of}</span>`;
}

/** On whom it depends, by the word of its newest tested release. */
export function dependenciesSection({ project, dependencies }: ProjectView, site: Site): Html {
  if (dependencies.length === 0) return NOTHING;
  const listed = (kind: "run" | "build" | "extra", text: string): Html => {
    const own = dependencies.filter((one) => one.kind === kind);
    if (own.length === 0) return NOTHING;
    const items = own.map(
      ({ name, isKnown }) =>
        html`<li>${isKnown ? projectLink(name, site) : clip(printableLine(name), MAX_NAME_CHARS)}</li>`,
    );
    return html`<dt>${text}</dt><dd><ul class="names">${items}</ul></dd>`;
  };
  return html`<h2>On whom it depends</h2>
<p>As the newest tested release of ${project.name} says.</p>
<dl class="facts">${listed("run", "to run")}${listed("build", "to be built")}${listed("extra", "for an extra")}</dl>`;
}

function projectLink(name: string, site: Site): Html {
  const href = site.href({ kind: "project", project: name });
  const shown = clip(printableLine(name), MAX_NAME_CHARS);
  return href === null ? html`${shown}` : html`<a href="${href}">${shown}</a>`;
}

/** Pictures of how it stands for pages of others, and how to put them there. */
export function badgeSection({ project }: ProjectView, site: Site): Html {
  const { name, visibility } = project;
  const image = site.href({ kind: "badge", project: name });
  const badge = site.address({ kind: "badge", project: name });
  const page = site.address({ kind: "project", project: name });
  const matrix = site.address({ kind: "matrix", project: name });
  const shields = site.address({ kind: "shields", project: name });
  if (badge === null || page === null) return NOTHING;
  const code = (text: string, what: string) =>
    html`<dt>${what}</dt><dd><code class="copied">${text}</code></dd>`;
  return html`<h2>Badge</h2>
${image === null ? NOTHING : html`<p><img src="${image}" alt="How ${name} stands, as a badge" height="20"></p>`}
${
  visibility === "private" && site.kind === "live"
    ? html`<p>This project is private: who may not see it sees the badge of an unknown one.</p>`
    : NOTHING
}<dl class="facts">
${code(`[![creamery](${badge})](${page})`, "Markdown")}
${code(`.. image:: ${badge}\n   :target: ${page}`, "reStructuredText")}
${site.kind === "live" ? code(`${badge}?configuration=cpython-3.13`, "One configuration") : NOTHING}
${matrix === null ? NOTHING : code(matrix, "Newest releases as a picture")}
${shields === null ? NOTHING : code(shields, "For a shields.io endpoint")}
</dl>`;
}
