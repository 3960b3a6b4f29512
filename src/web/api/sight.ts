import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import {
  FARM,
  type Action,
  type Allowed,
  type Subject,
  type Within,
} from "../../model/authorise.ts";
import type { Visibility } from "../../model/principals.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { knownProject, type KnownProject } from "../../store/sql/project-queries.ts";
import { permit, type Asked } from "../authenticate.ts";
import { Refused } from "./answers.ts";
import type { ApiDeps } from "./api-deps.ts";

/** Who may see and do what, for each route: always by `authorise`, never otherwise. */

/** @throws Refused 401, 403 or 404. */
export function mustBeAllowed(
  context: Asked,
  action: Action,
  subject: Subject,
  deps: Pick<ApiDeps, "nowMs">,
): Allowed {
  const permitted = permit(context, action, subject, deps.nowMs());
  if (permitted.kind === "allowed") return permitted;
  throw new Refused(permitted);
}

/** What a list is narrowed to: what who asks may read. */
export function sightOf(context: Asked, deps: Pick<ApiDeps, "nowMs">): Within {
  return mustBeAllowed(context, "read", FARM, deps).within;
}

/** The same for the queue, of which operators see more than they may read of results. */
export function queueSightOf(context: Asked, deps: Pick<ApiDeps, "nowMs">): Within {
  const read = sightOf(context, deps);
  const queue = permit(context, "see-queue", FARM, deps.nowMs());
  return queue.kind === "allowed" ? both(read, queue.within) : read;
}

/** For what concerns the farm as a whole: an operator's token that is bound to projects is not good for it. */
export function mustSeeFarm(context: Asked, deps: Pick<ApiDeps, "nowMs">): void {
  const { within } = mustBeAllowed(context, "see-queue", FARM, deps);
  if (within.private === "all") return;
  throw new Refused({
    status: 403,
    detail: "this token is bound to projects, and this is the farm's",
  });
}

/** What is within either. */
export function both(one: Within, other: Within): Within {
  return {
    allPublic: one.allPublic || other.allPublic,
    private:
      one.private === "all" || other.private === "all" ? "all" : [...one.private, ...other.private],
    public: [...one.public, ...other.public],
  };
}

/** Whether something of a project is within what somebody gets to see. */
export function isWithinSight(
  { project, visibility }: { readonly project: string; readonly visibility: Visibility },
  within: Within,
): boolean {
  if (visibility === "public") return within.allPublic || within.public.includes(project);
  return within.private === "all" || within.private.includes(project);
}

/** The project of a path. @throws CreameryError `unknown-project` where there is none, or none that is theirs to know of; Refused. */
export async function readableProject(
  context: Asked,
  deps: ApiDeps,
  given: string,
): Promise<KnownProject> {
  const name = isName(given) ? normaliseName(given) : null;
  const known = name === null ? null : await knownProject(deps.database, name);
  if (known === null) throw unknownProject(given);
  const subject = { kind: "project", project: known.name, visibility: known.visibility } as const;
  const permitted = permit(context, "read", subject, deps.nowMs());
  if (permitted.kind === "allowed") return known;
  // The very same as for one that is not there.
  if (permitted.status === 404) throw unknownProject(given);
  throw new Refused(permitted);
}

function unknownProject(given: string): CreameryError {
  return new CreameryError("unknown-project", "the farm knows no such project", {
    input: clip(printableLine(given), 100),
    nextStep: "look at /api/v1/projects, or have it tested",
  });
}
