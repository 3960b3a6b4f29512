import { createHash } from "node:crypto";

import type { Within } from "../store/database.ts";
import type { AttemptRecording } from "../store/store.ts";
import type { EnqueueRequest } from "./job.ts";

/**
 * The same release or commit once more, on the same configuration, after an attempt that failed where nothing runs it again by itself: a build,
 * an install. People are told that it broke once a second attempt says the same.
 */
export async function secondAttemptOf(
  within: Within,
  { attempt, visibility }: AttemptRecording,
  targetId: number,
): Promise<EnqueueRequest> {
  const { word, version, line } = await within
    .selectFrom("target")
    .select(["word", "version", "line"])
    .where("id", "=", targetId)
    .executeTakeFirstOrThrow();
  const id = createHash("sha256").update(`second\0${attempt.id}`).digest("hex").slice(0, 24);
  return {
    id,
    project: attempt.project,
    visibility,
    word,
    version,
    line,
    reason: "retest",
    configurations: [{ name: attempt.configuration, lane: "rest" }],
    why: attempt.why ?? "to be sure that it fails",
  };
}
