import type { Transaction } from "kysely";

import { canonicalHash } from "../../model/axes.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import type { Tables } from "../schema.ts";
import type { AttemptRecording } from "../store.ts";

type Within = Transaction<Tables>;

/** Rows that many attempts share: found, or made where they are not there yet. */

export async function internJob(
  db: Within,
  { attempt, visibility, reason }: AttemptRecording,
): Promise<{ jobId: number; projectId: number }> {
  await db
    .insertInto("project")
    .values({ name: attempt.project, visibility })
    .onConflict((on) => on.column("name").doNothing())
    .execute();
  const project = await db
    .selectFrom("project")
    .select(["id"])
    .where("name", "=", attempt.project)
    .executeTakeFirstOrThrow();

  const release = { project_id: project.id, version: attempt.version };
  await db
    .insertInto("release")
    .values(release)
    .onConflict((on) => on.columns(["project_id", "version"]).doNothing())
    .execute();
  const releaseRow = await db
    .selectFrom("release")
    .select("id")
    .where("project_id", "=", release.project_id)
    .where("version", "=", release.version)
    .executeTakeFirstOrThrow();

  const source = {
    release_id: releaseRow.id,
    kind: attempt.source.kind,
    sha256: attempt.source.sha256,
  };
  await db
    .insertInto("source")
    .values(source)
    .onConflict((on) => on.columns(["release_id", "kind", "sha256"]).doNothing())
    .execute();
  const sourceRow = await db
    .selectFrom("source")
    .select("id")
    .where("release_id", "=", source.release_id)
    .where("kind", "=", source.kind)
    .where("sha256", "=", source.sha256)
    .executeTakeFirstOrThrow();

  const configurationId = await internName(db, "configuration", attempt.configuration);
  const job = { source_id: sourceRow.id, configuration_id: configurationId, reason };
  await db
    .insertInto("job")
    .values(job)
    .onConflict((on) => on.columns(["source_id", "configuration_id", "reason"]).doNothing())
    .execute();
  const jobRow = await db
    .selectFrom("job")
    .select("id")
    .where("source_id", "=", job.source_id)
    .where("configuration_id", "=", job.configuration_id)
    .where("reason", "=", job.reason)
    .executeTakeFirstOrThrow();
  return { jobId: jobRow.id, projectId: project.id };
}

export async function internAxes(db: Within, axes: AttemptJson["axes"]): Promise<number> {
  const digest = canonicalHash(axes);
  await db
    .insertInto("axes")
    .values({
      digest,
      source_sha256: axes.source,
      interpreter: axes.interpreter,
      builder: axes.builder,
      image_id: await internName(db, "image", axes.image),
      machine: axes.machine,
      index_date: axes.indexDate,
      lock: axes.lock,
      plan: axes.plan,
      agent: axes.agent,
    })
    .onConflict((on) => on.column("digest").doNothing())
    .execute();
  const row = await db
    .selectFrom("axes")
    .select("id")
    .where("digest", "=", digest)
    .executeTakeFirstOrThrow();
  return row.id;
}

export async function internTest(db: Within, projectId: number, name: string): Promise<number> {
  await db
    .insertInto("test")
    .values({ project_id: projectId, name })
    .onConflict((on) => on.columns(["project_id", "name"]).doNothing())
    .execute();
  const row = await db
    .selectFrom("test")
    .select("id")
    .where("project_id", "=", projectId)
    .where("name", "=", name)
    .executeTakeFirstOrThrow();
  return row.id;
}

async function internName(
  db: Within,
  table: "configuration" | "image",
  name: string,
): Promise<number> {
  await db
    .insertInto(table)
    .values({ name })
    .onConflict((on) => on.column("name").doNothing())
    .execute();
  const row = await db
    .selectFrom(table)
    .select("id")
    .where("name", "=", name)
    .executeTakeFirstOrThrow();
  return row.id;
}
