import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { visibleProject, type VisibleProject } from "../../store/sql/matrix-queries.ts";
import type { PagesContext, PagesDeps } from "./page-deps.ts";

/** The project of a path. @throws CreameryError `unknown-project` where there is none, or none that is theirs to know of. */
export async function readableProject(
  context: PagesContext,
  { database }: PagesDeps,
  given: string,
): Promise<VisibleProject> {
  const project = isName(given)
    ? await visibleProject(database, normaliseName(given), context.get("page").within)
    : null;
  if (project !== null) return project;
  throw new CreameryError("unknown-project", "the farm knows no such project", {
    input: clip(printableLine(given), 100),
    nextStep: "search for how its name begins, or have it tested",
  });
}

/** Where a name is written otherwise than farms write it: how it is written; null where it is, or is no name. */
export function otherSpelling(given: string): string | null {
  const name = isName(given) ? normaliseName(given) : given;
  return name === given ? null : name;
}
