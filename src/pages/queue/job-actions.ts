import { clip, printableLine } from "../../base/bounded-text.ts";
import { FARM } from "../../model/authorise.ts";
import type { NumberedView } from "../../queue/job-views.ts";
import { configurationWords } from "../shell/configuration-words.ts";
import { deedButton, deedLink } from "../shell/deed-form.ts";
import { html, NOTHING, type Html } from "../shell/html.ts";
import type { PageContext } from "../shell/page.ts";

const MAX_NAME_CHARS = 80;

type Acted = Pick<NumberedView, "key" | "project" | "visibility" | "state" | "configuration">;

/** What an operator can do with a job, for the last cell of its row. */
export function jobActions(job: Acted, context: PageContext): Html {
  if (!mayAct(job, context)) return NOTHING;
  const { key, project, configuration, state } = job;
  const about = `${clip(printableLine(project), MAX_NAME_CHARS)} on ${configurationWords(configuration)}`;
  const deed = { kind: "deed", on: "job", of: key } as const;
  switch (state) {
    case "queued":
    case "waiting":
    case "leased":
      return deedLink(context, { ...deed, deed: "cancel" }, "Cancel", about);
    case "dead":
    case "cancelled":
      return deedButton(context, { ...deed, deed: "retry" }, "Retry", about);
    case "done":
    case "superseded":
      return NOTHING;
  }
}

/** Whether there is anything that who looks may do with a job. */
export function mayAct({ project, visibility, state }: Acted, { viewer }: PageContext): boolean {
  if (viewer.formToken === null || state === "done" || state === "superseded") return false;
  return viewer.may("change-queue", { kind: "project", project, visibility });
}

/** What can be done to the queue as a whole, by who may. */
export function queueActions(context: PageContext): Html {
  const { viewer } = context;
  const add = viewer.mayEnqueue
    ? deedLink(context, { kind: "enqueue" }, "Have something tested", "")
    : NOTHING;
  const watched = viewer.may("watch", FARM)
    ? deedLink(context, { kind: "watched" }, "Watched projects", "")
    : NOTHING;
  return viewer.formToken === null || (add === NOTHING && watched === NOTHING)
    ? NOTHING
    : html`<p class="deeds">${add}${watched}</p>`;
}
