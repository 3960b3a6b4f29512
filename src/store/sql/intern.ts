import type { Within } from "../database.ts";
import type { AttemptRecording } from "../store.ts";
import { indexedText } from "./indexed-text.ts";

/** Rows that many results share: found, or made where they are not there yet. */

export async function internRelease(
  db: Within,
  { attempt, visibility }: AttemptRecording,
): Promise<{ readonly project_id: number; readonly release_id: number }> {
  const projectId = await internProject(db, attempt.project, visibility);
  const release = { project_id: projectId, version: indexedText(attempt.version) };
  await db
    .insertInto("release")
    .values(release)
    .onConflict((on) => on.columns(["project_id", "version"]).doNothing())
    .execute();
  const row = await db
    .selectFrom("release")
    .select("id")
    .where("project_id", "=", release.project_id)
    .where("version", "=", release.version)
    .executeTakeFirstOrThrow();
  return { project_id: projectId, release_id: row.id };
}

async function internProject(db: Within, name: string, visibility: string): Promise<number> {
  await db
    .insertInto("project")
    .values({ name, visibility })
    .onConflict((on) => on.column("name").doNothing())
    .execute();
  const row = await db
    .selectFrom("project")
    .select("id")
    .where("name", "=", name)
    .executeTakeFirstOrThrow();
  return row.id;
}

export async function internTest(db: Within, projectId: number, given: string): Promise<number> {
  const name = indexedText(given);
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

export async function internName(
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
