import type { MachineKind } from "../../model/attempt.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import type { StoredAttempt } from "../../store/store.ts";

/** What one attempt took of a host. */
export interface MeasuredAttempt {
  readonly project: string;
  readonly configuration: string;
  readonly machine: MachineKind;
  /** Wall seconds for which it held its slot, the runs that confirmed it included. */
  readonly slotSeconds: number;
  /** Processor seconds of all its guests; null where they were not counted. */
  readonly cpuSeconds: number | null;
  /** Of a fresh guest, until it answers; about 0 where one waited in the pool. */
  readonly startSeconds: number;
  /** All that is neither the package's own (environment, installing, building, tests) nor the guest's start. */
  readonly aroundSeconds: number;
}

/** Too few attempts of one machine kind say nothing of a farm. */
export const FEWEST_MEASURED = 20;

/** What ran for less ran nothing: `Requires-Python` excludes the interpreter. */
const RAN_SECONDS = 0.5;

export function hasRun({ slotSeconds }: MeasuredAttempt): boolean {
  return slotSeconds >= RAN_SECONDS;
}

/**
 * What attempts took. One that confirmed another is no attempt of its own: its wall seconds are in the other's, its
 * processor seconds are added there. What never ran (`Requires-Python`) cost what it cost: next to nothing.
 */
export function measure(stored: readonly StoredAttempt[]): readonly MeasuredAttempt[] {
  const confirming = Map.groupBy(
    stored.filter(({ reason }) => reason === "confirm"),
    ({ of }) => of,
  );
  return stored
    .filter(({ reason }) => reason !== "confirm")
    .map(({ attempt }) =>
      measuredOf(
        attempt,
        (confirming.get(attempt.id) ?? []).map((run) => run.attempt),
      ),
    );
}

function measuredOf(attempt: AttemptJson, confirming: readonly AttemptJson[]): MeasuredAttempt {
  const lap = (name: string) => attempt.seconds[name] ?? 0;
  const own = cpuOf(attempt);
  return {
    project: attempt.project,
    configuration: attempt.configuration,
    machine: attempt.machine,
    slotSeconds: lap("total") + lap("confirm") + lap("confirm-test"),
    cpuSeconds: own === null ? null : confirming.reduce((sum, run) => sum + (cpuOf(run) ?? 0), own),
    startSeconds: lap("start"),
    aroundSeconds: Math.max(0, lap("farm") - lap("start")),
  };
}

function cpuOf({ evidence }: AttemptJson): number | null {
  return evidence.limits?.cpuSeconds ?? null;
}
