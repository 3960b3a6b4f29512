import type { LeasedJob } from "../../queue/job.ts";
import type { Finish } from "../../queue/queue.ts";
import type { LiveEvents } from "../../web/live-events.ts";
import type { AttemptWatcher } from "../../worker/local-coordinator.ts";

/** Tells who watches the farm what becomes of jobs and attempts, on whatever host they run. */
export function attemptWatcher(live: LiveEvents): AttemptWatcher {
  return {
    begun: (job) => {
      live.begin({ ...job, job: job.key });
      changed(live, job, "leased", job.attempt);
    },
    told: (attempt, piece) => void live.publish(attempt, piece),
    ended: (attempt, finish) => {
      const running = live.running(attempt);
      const outcome = outcomeOf(finish);
      live.end(attempt, outcome);
      if (running === null) return;
      const { project, visibility, configuration } = running;
      if (outcome !== null)
        live.changed({ kind: "attempt", id: attempt, project, visibility, configuration, outcome });
      if (running.job !== null)
        changed(live, { ...running, key: running.job }, stateOf(finish), attempt);
    },
  };
}

function changed(
  live: LiveEvents,
  {
    key,
    project,
    visibility,
    configuration,
  }: Pick<LeasedJob, "key" | "project" | "visibility" | "configuration">,
  state: string,
  attempt: string,
): void {
  live.changed({ kind: "job", key, project, visibility, configuration, state, attempt });
}

function outcomeOf(finish: Finish): string | null {
  return finish.kind === "done" || finish.kind === "farm-fault"
    ? (finish.recordings[0]?.attempt.outcome ?? null)
    : null;
}

/** As it most likely is now: the queue may have ended it after too many faults. */
function stateOf(finish: Finish): string {
  switch (finish.kind) {
    case "done":
      return "done";
    case "impossible":
      return "dead";
    case "farm-fault":
      return "waiting";
    case "returned":
      return "queued";
  }
}
