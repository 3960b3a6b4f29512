import { createHash } from "node:crypto";

import { CreameryError } from "../../base/errors.ts";
import { parseConfigurations } from "../../model/configuration-name.ts";
import type { EnqueueRequest, Lane } from "../../queue/job.ts";
import { knownProject } from "../../store/sql/project-queries.ts";
import { permit, type Asked } from "../authenticate.ts";
import { Refused } from "./answers.ts";
import type { ApiDeps } from "./api-deps.ts";
import { enqueueTarget, type EnqueueTarget } from "./enqueue-target.ts";
import { isOperator } from "./job-view.ts";
import type { EnqueueBody } from "./schemas/queue.ts";

/** So many jobs somebody may have put before those of the farm's own, at once. */
const MOST_MANUAL = 100;

/**
 * What is to be queued for a body, after it was seen that who asks may. Nothing is queued where one of it is not right.
 * @param key `Idempotency-Key`: the same key and body make the same requests, whenever they are made.
 * @throws Refused, CreameryError `usage`, `bad-requirement`, `address-refused`, `unknown-configuration`.
 */
export async function requestsOf(
  context: Asked,
  deps: ApiDeps,
  body: Required<Pick<EnqueueBody, "configurations" | "targets">> & Pick<EnqueueBody, "lane">,
  key: string | undefined,
): Promise<readonly EnqueueRequest[]> {
  const targets = body.targets.map((text) => enqueueTarget(text, (url) => deps.projectOf(url)));
  const allowed: (EnqueueTarget & Pick<EnqueueRequest, "visibility">)[] = [];
  for (const target of targets) allowed.push(await mayEnqueue(context, deps, target));
  const { configurations } = body;
  const on = typeof configurations === "string" ? configurations : configurations.join(",");
  const choice = await deps.configurations();
  const names = parseConfigurations(on, choice);
  const lane = laneFor(context, deps, body.lane, names.length * targets.length);
  return allowed.map(({ project, visibility, word, version, line }, place) => ({
    id:
      key === undefined
        ? deps.newId()
        : sameId([principalId(context), key, String(place), word, lane, ...names]),
    project,
    visibility,
    word,
    version,
    line,
    reason: "manual",
    configurations: names.map((name) => ({ name, lane })),
  }));
}

async function mayEnqueue(context: Asked, deps: ApiDeps, target: EnqueueTarget) {
  const known = await knownProject(deps.database, target.project);
  const visibility = known?.visibility ?? deps.visibilityOf(target);
  const { project } = target;
  const subject = { kind: "project", project, visibility } as const;
  const permitted = permit(context, "enqueue", subject, deps.nowMs());
  if (permitted.kind === "refused") throw new Refused(permitted);
  return { ...target, visibility };
}

function laneFor(context: Asked, deps: ApiDeps, wanted: Lane | undefined, count: number): Lane {
  if (wanted !== "manual") return wanted ?? "priority";
  if (!isOperator(context, deps))
    throw new Refused({
      status: 403,
      detail: "the lane `manual` needs a token with operate or admin: leave `lane` out",
    });
  if (count <= MOST_MANUAL) return wanted;
  throw new CreameryError("usage", `are more jobs than ${MOST_MANUAL} at once in lane manual`, {
    input: String(count),
    nextStep: "leave `lane` out, or name fewer targets or configurations",
  });
}

export function principalId(context: Asked): string {
  const principal = context.get("principal");
  return principal.kind === "anonymous" ? "" : principal.id;
}

const ID_CHARS = 24;

/** An id that is the same for the same parts. */
export function sameId(parts: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  return `k${hash.slice(0, ID_CHARS)}`;
}
