import { clip, printableLine } from "../../base/bounded-text.ts";
import type { AuditRecord } from "../../model/audit.ts";
import type { Action, Subject } from "../../model/authorise.ts";
import { permit, type Asked } from "../authenticate.ts";
import { Refused } from "./answers.ts";
import type { ApiDeps } from "./api-deps.ts";

const MAX_DETAIL = 500;
const MAX_SUBJECT = 200;
/** Of who may not, by the one table. */
const REFUSALS: readonly number[] = [401, 403, 404];

export interface Deed {
  readonly action: Action;
  readonly on: Subject;
  /** For the record: a project, a job, a principal's id. */
  readonly subject: string;
}

/**
 * Does what an operator asks for, if they may, and keeps a record of it: of what was done, refused, or failed.
 * @param work says what changed, in one line. @throws Refused, and what `work` throws.
 */
export async function audited<Answer>(
  context: Asked,
  deps: Pick<ApiDeps, "audit" | "newId" | "nowMs">,
  deed: Deed,
  work: () => Promise<{ readonly answer: Answer; readonly detail: string }>,
): Promise<Answer> {
  const permitted = permit(context, deed.action, deed.on, deps.nowMs());
  if (permitted.kind === "refused") {
    // What strangers without a token are refused is no news, and would fill the record.
    if (context.get("principal").kind !== "anonymous")
      await deps.audit.append(record(context, deps, deed, "refused", permitted.reason));
    throw new Refused(permitted);
  }
  return await noted(context, deps, deed, work);
}

/** The same for what is allowed or refused by `work` itself, of each of its subjects. */
export async function noted<Answer>(
  context: Asked,
  deps: Pick<ApiDeps, "audit" | "newId" | "nowMs">,
  deed: Pick<Deed, "action" | "subject">,
  work: () => Promise<{ readonly answer: Answer; readonly detail: string }>,
): Promise<Answer> {
  const keep = (outcome: AuditRecord["outcome"], detail: string): Promise<void> =>
    deps.audit.append(record(context, deps, deed, outcome, detail));
  try {
    const { answer, detail } = await work();
    await keep("done", detail);
    return answer;
  } catch (thrown) {
    const isRefused = thrown instanceof Refused && REFUSALS.includes(thrown.status);
    if (!isRefused || context.get("principal").kind !== "anonymous")
      await keep(
        isRefused ? "refused" : "failed",
        thrown instanceof Error ? thrown.message : "failed",
      );
    throw thrown;
  }
}

function record(
  context: Asked,
  deps: Pick<ApiDeps, "newId" | "nowMs">,
  { action, subject }: Pick<Deed, "action" | "subject">,
  outcome: AuditRecord["outcome"],
  detail: string,
): AuditRecord {
  const principal = context.get("principal");
  return {
    id: deps.newId(),
    atMs: deps.nowMs(),
    by:
      principal.kind === "anonymous"
        ? { kind: "anonymous", id: null, name: "anonymous" }
        : { kind: principal.kind, id: principal.id, name: principal.name },
    action,
    subject: clip(printableLine(subject), MAX_SUBJECT),
    outcome,
    detail: clip(printableLine(detail), MAX_DETAIL),
    address: context.get("peer").address,
  };
}
