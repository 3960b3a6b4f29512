import type { ProjectView } from "./project-view.ts";

/** `src/zope` of the tree as `{site}/zope/interface`: where a path of the uninstalled package is installed; null for other paths. */
export function siteForm(path: string, project: ProjectView): string | null {
  const clean = path.replace(/^\.\//, "").replace(/\/$/, "");
  const match = /^(?:src|lib|python)\/(.+)$/.exec(clean);
  if (match === null) return null;
  const inner = match[1] ?? "";
  const within = project.units.find((unit) => inner === unit || inner.startsWith(`${unit}/`));
  if (within !== undefined) return `{site}/${inner}`;
  const below = project.units.filter((unit) => unit.startsWith(`${inner}/`));
  return below.length === 1 ? `{site}/${below[0] ?? ""}` : null;
}
