import { sql, type Kysely } from "kysely";

import { packDetail } from "../sql/packed-detail.ts";

/** Rows of the first schema, with all that they refer to; as the first two steps left it. */
interface OldRow extends Readonly<Record<string, unknown>> {
  readonly id: string;
}

const AT_ONCE = 500;

/** Copies attempts of the first schema into `result`, and their failures. A part of step 3, and never changed. */
export async function copyAttempts(db: Kysely<unknown>): Promise<void> {
  for (let after = ""; ;) {
    const { rows } = await sql<OldRow>`
      select attempt.*, project.id as project_id, release.id as release_id, source.kind as source_kind,
        source.sha256 as source_sha256, job.configuration_id, job.reason, axes.source_sha256 as axes_source,
        axes.interpreter, axes.builder, axes.image_id, axes.machine as axes_machine, axes.index_date,
        axes.lock as axes_lock, axes.plan as axes_plan, axes.agent
      from attempt join job on job.id = attempt.job_id join source on source.id = job.source_id
        join release on release.id = source.release_id join project on project.id = release.project_id
        join axes on axes.id = attempt.axes_id
      where attempt.id > ${after} order by attempt.id limit ${AT_ONCE}`.execute(db);
    for (const row of rows) await copy(db, row);
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last.id;
  }
  await sql`insert into result_failure (result_id, test_id, outcome, message)
    select attempt_id, test_id, outcome, message from test_nonpass`.execute(db);
}

async function copy(db: Kysely<unknown>, row: OldRow): Promise<void> {
  const { cause_kind: kind, cause_detail: detail, collected } = row;
  const { passed, failed, errors, skipped, deselected } = row;
  const packed = packDetail(row.id, {
    source: { kind: row["source_kind"], sha256: row["source_sha256"] },
    machine: row["machine"],
    installed: row["installed"],
    plan: {
      rung: row["plan_rung"],
      command: row["plan_command"],
      rejected: parsed(row["plan_rejected"]),
    },
    phase: row["phase"],
    cause: kind === null ? null : text(kind) + (detail === null ? "" : `(${text(detail)})`),
    confidence: row["confidence"],
    comparison: row["comparison"],
    smoke: row["smoke"],
    tests: collected === null ? null : { collected, passed, failed, errors, skipped, deselected },
    seconds: parsed(row["seconds"]),
    axes: {
      source: row["axes_source"],
      interpreter: row["interpreter"],
      builder: row["builder"],
      machine: row["axes_machine"],
      indexDate: row["index_date"],
      lock: row["axes_lock"],
      plan: row["axes_plan"],
      agent: row["agent"],
    },
    evidence: parsed(row["evidence"]),
    log: row["log"],
    report: row["report"],
  });
  await sql`insert into result
      (id, release_id, project_id, configuration_id, image_id, reason, of_attempt, started_ms, outcome, cause_kind, detail)
    values (${row.id}, ${row["release_id"]}, ${row["project_id"]}, ${row["configuration_id"]}, ${row["image_id"]},
      ${row["reason"]}, ${row["of_attempt"]}, ${Date.parse(text(row["started_at"]))}, ${row["outcome"]}, ${kind}, ${packed})`.execute(
    db,
  );
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function parsed(value: unknown): unknown {
  return JSON.parse(text(value));
}
