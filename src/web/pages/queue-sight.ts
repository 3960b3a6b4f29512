import { authorise, FARM, type Within } from "../../model/authorise.ts";
import { ANONYMOUS } from "../../model/principals.ts";
import { both } from "../api/sight.ts";
import type { PagesContext, PagesDeps } from "./page-deps.ts";

/** What of the queue who looks gets to see: operators more than they may read of results, as over the API. */
export function pageQueueSight(context: PagesContext, { nowMs }: Pick<PagesDeps, "nowMs">): Within {
  const { within } = context.get("page");
  const principal = context.get("principal") ?? ANONYMOUS;
  const queue = authorise(principal, "see-queue", FARM, nowMs());
  return queue.kind === "allowed" ? both(within, queue.within) : within;
}

/** Whether who looks is shown of jobs what is for operators alone. */
export function seesForOperators(
  context: PagesContext,
  { nowMs }: Pick<PagesDeps, "nowMs">,
): boolean {
  const principal = context.get("principal") ?? ANONYMOUS;
  return authorise(principal, "see-queue", FARM, nowMs()).kind === "allowed";
}
