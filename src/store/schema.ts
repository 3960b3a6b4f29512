import type { Generated } from "kysely";

/** The tables, as the migrations left them. JSON columns hold what no query looks into. */
export interface Tables {
  project: { id: Generated<number>; name: string; visibility: string };
  release: { id: Generated<number>; project_id: number; version: string };
  source: { id: Generated<number>; release_id: number; kind: string; sha256: string };
  configuration: { id: Generated<number>; name: string };
  image: { id: Generated<number>; name: string };
  axes: {
    id: Generated<number>;
    /** Canonical hash of all the others. */
    digest: string;
    source_sha256: string;
    interpreter: string;
    builder: string;
    image_id: number;
    machine: string;
    index_date: string;
    lock: string | null;
    plan: string | null;
    agent: string;
  };
  job: { id: Generated<number>; source_id: number; configuration_id: number; reason: string };
  attempt: {
    id: string;
    job_id: number;
    axes_id: number;
    of_attempt: string | null;
    started_at: string;
    phase: string;
    outcome: string;
    cause_kind: string | null;
    cause_detail: string | null;
    smoke: string | null;
    confidence: string;
    comparison: string | null;
    installed: string | null;
    machine: string;
    plan_rung: string | null;
    plan_command: string | null;
    plan_rejected: string;
    collected: number | null;
    passed: number | null;
    failed: number | null;
    errors: number | null;
    skipped: number | null;
    deselected: number | null;
    seconds: string;
    evidence: string;
    log: string | null;
    report: string | null;
  };
  /** Canonical test ids, interned for each project. */
  test: { id: Generated<number>; project_id: number; name: string };
  test_nonpass: { attempt_id: string; test_id: number; outcome: string; message: string };
}
