import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { Database } from "../../store/database.ts";
import { insertResult } from "../../store/sql/sql-store.ts";
import type { AttemptRecording } from "../../store/store.ts";

/** `p`ass, `f`ail, `c`rash, `k`illed, `s`kip, `e`rror, `b`roken dependency, `~` flaky, `?` the farm failed. */
const LETTERS: Readonly<Record<string, Partial<AttemptJson>>> = {
  p: { outcome: "pass", cause: null, confidence: "unconfirmed", comparison: "still-pass" },
  f: { outcome: "fail", cause: "test-failure" },
  c: { outcome: "crash", cause: "segfault" },
  k: { outcome: "killed", cause: "timeout" },
  s: { outcome: "skip", cause: "requires-python", confidence: "inferred", tests: null },
  e: { outcome: "error", cause: "collection-error", confidence: "unconfirmed" },
  b: { outcome: "fail", cause: "dependency-build(cffi)", phase: "build", tests: null },
  "~": { outcome: "fail", cause: "test-failure", confidence: "flaky" },
  "?": { outcome: "error", cause: "agent-lost", tests: null },
};

export interface DrawnProject {
  readonly project: string;
  readonly configurations: readonly string[];
  /** Oldest first; of each a letter for each configuration (`.` for not tested). */
  readonly releases: readonly (readonly [version: string, letters: string])[];
  /** When the first attempt was begun, ms; each next one a minute later. */
  readonly startMs: number;
  readonly change?: (attempt: AttemptJson, release: number, column: number) => Partial<AttemptJson>;
  readonly told?: Partial<AttemptRecording>;
}

/** Records a project as it is drawn, for tests. @returns the ids of its attempts, by `version configuration`. */
export async function recordDrawn(
  database: Database,
  { project, configurations, releases, startMs, change, told }: DrawnProject,
): Promise<ReadonlyMap<string, string>> {
  const ids = new Map<string, string>();
  const recordings = releases.flatMap(([version, letters], release) =>
    configurations.flatMap((configuration, column): AttemptRecording[] => {
      const drawn = LETTERS[letters[column] ?? "."];
      if (drawn === undefined) return [];
      const atMs = startMs + (release * configurations.length + column) * 60_000;
      const id = newAttemptId(atMs);
      ids.set(`${version} ${configuration}`, id);
      const attempt = sampleAttempt({ id, project, version, configuration, ...drawn });
      return [
        {
          attempt: { ...attempt, ...change?.(attempt, release, column) },
          visibility: "public",
          reason: "release",
          startedAt: new Date(atMs).toISOString(),
          results: [],
          ...told,
        },
      ];
    }),
  );
  await database.write(async (within) => {
    for (const recording of recordings) await insertResult(within, recording);
  });
  return ids;
}
