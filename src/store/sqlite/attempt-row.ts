import { z } from "zod";

import { CAUSE_KINDS, type CauseKind } from "../../model/attempt.ts";
import { AttemptJson } from "../../model/result-json.ts";
import { formatCause, isCauseKind, parseCause } from "../../model/result-words.ts";
import type { Tables } from "../schema.ts";
import type { AttemptRecording, JobReason, StoredAttempt, Visibility } from "../store.ts";

/** The attempt's own row, all but its keys. */
export function rowOf({
  attempt,
  startedAt,
  of,
}: AttemptRecording): Omit<Tables["attempt"], "job_id" | "axes_id"> {
  const cause = attempt.cause === null ? null : parseCause(attempt.cause);
  const { tests, plan } = attempt;
  return {
    id: attempt.id,
    of_attempt: of ?? null,
    started_at: startedAt,
    phase: attempt.phase,
    outcome: attempt.outcome,
    cause_kind: cause?.kind ?? null,
    cause_detail: cause?.detail ?? null,
    smoke: attempt.smoke,
    confidence: attempt.confidence,
    comparison: attempt.comparison,
    installed: attempt.installed,
    machine: attempt.machine,
    plan_rung: plan.rung,
    plan_command: plan.command,
    plan_rejected: JSON.stringify(plan.rejected),
    collected: tests?.collected ?? null,
    passed: tests?.passed ?? null,
    failed: tests?.failed ?? null,
    errors: tests?.errors ?? null,
    skipped: tests?.skipped ?? null,
    deselected: tests?.deselected ?? null,
    seconds: JSON.stringify(attempt.seconds),
    evidence: JSON.stringify(attempt.evidence),
    log: attempt.log,
    report: attempt.report,
  };
}

/** An attempt's row joined with all that it refers to. */
export interface JoinedRow extends Omit<Tables["attempt"], "job_id" | "axes_id"> {
  readonly project: string;
  readonly visibility: string;
  readonly version: string;
  readonly source_kind: string;
  readonly source_sha256: string;
  readonly configuration: string;
  readonly reason: string;
  readonly axes_source: string;
  readonly axes_interpreter: string;
  readonly axes_builder: string;
  readonly axes_image: string;
  readonly axes_machine: string;
  readonly axes_index_date: string;
  readonly axes_lock: string | null;
  readonly axes_plan: string | null;
  readonly axes_agent: string;
}

const VisibilityText = z.enum(["public", "private"]) satisfies z.ZodType<Visibility>;
const ReasonText = z.enum([
  "manual",
  "reproduce",
  "confirm",
  "release",
  "push",
  "retest",
  "experiment",
  "canary",
  "blame",
]) satisfies z.ZodType<JobReason>;

/** Read back and checked: what lies in a file was written by some version of the farm, not by this line. */
export function attemptOf(row: JoinedRow): StoredAttempt {
  const attempt = AttemptJson.parse({
    id: row.id,
    project: row.project,
    version: row.version,
    source: { kind: row.source_kind, sha256: row.source_sha256 },
    configuration: row.configuration,
    image: row.axes_image,
    machine: row.machine,
    installed: row.installed,
    plan: { rung: row.plan_rung, command: row.plan_command, rejected: json(row.plan_rejected) },
    phase: row.phase,
    outcome: row.outcome,
    cause: causeText(row.cause_kind, row.cause_detail),
    confidence: row.confidence,
    comparison: row.comparison,
    smoke: row.smoke,
    tests: countsOf(row),
    seconds: json(row.seconds),
    axes: {
      source: row.axes_source,
      interpreter: row.axes_interpreter,
      builder: row.axes_builder,
      image: row.axes_image,
      machine: row.axes_machine,
      indexDate: row.axes_index_date,
      lock: row.axes_lock,
      plan: row.axes_plan,
      agent: row.axes_agent,
    },
    evidence: json(row.evidence),
    log: row.log,
    report: row.report,
  });
  return {
    attempt,
    visibility: VisibilityText.parse(row.visibility),
    reason: ReasonText.parse(row.reason),
    of: row.of_attempt,
    startedAt: row.started_at,
  };
}

function json(text: string): unknown {
  return JSON.parse(text);
}

function causeText(kind: string | null, detail: string | null): string | null {
  if (kind === null || !isCauseKind(kind)) return kind;
  return formatCause(detail === null ? { kind } : { kind, detail });
}

function countsOf(row: JoinedRow): unknown {
  const { collected, passed, failed, errors, skipped, deselected } = row;
  return collected === null ? null : { collected, passed, failed, errors, skipped, deselected };
}

/** Causes that make an attempt no baseline: the farm's own. */
export const NO_BASELINE: readonly CauseKind[] = [...CAUSE_KINDS.farm, "machine-difference"];
