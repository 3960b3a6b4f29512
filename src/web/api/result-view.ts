import type { StoredAttempt } from "../../store/store.ts";
import type { Attempt, Result } from "./schemas/results.ts";

/** Results as the API shows them. */

export function resultOf({ attempt, reason, of, startedAt }: StoredAttempt): Result {
  const { id, project, version, configuration, phase, outcome, cause, confidence } = attempt;
  const { comparison, smoke, tests, image, machine, axes, seconds } = attempt;
  return {
    id,
    project,
    version,
    configuration,
    phase,
    outcome,
    cause,
    confidence,
    comparison,
    smoke,
    tests,
    totalSeconds: seconds["total"] ?? null,
    image,
    interpreter: axes.interpreter,
    machine,
    startedAt,
    reason,
    of,
  };
}

/** The whole of it. Where things lie on the farm's own disk is nobody's business: they are named by where they can be read. */
export function attemptView(stored: StoredAttempt): Attempt {
  const { attempt, visibility, reason, of, startedAt } = stored;
  const base = `/api/v1/attempts/${encodeURIComponent(attempt.id)}`;
  const { lock, buildLock } = attempt.evidence;
  return {
    attempt: {
      ...attempt,
      log: attempt.log === null ? null : `${base}/log`,
      report: attempt.report === null ? null : `${base}/assets/report.json`,
      evidence: {
        ...attempt.evidence,
        lock: lock === null ? null : `${base}/assets/pylock.toml`,
        ...(buildLock === undefined ? {} : { buildLock: `${base}/assets/pylock.build.toml` }),
      },
    },
    visibility,
    reason,
    of,
    startedAt,
  };
}
