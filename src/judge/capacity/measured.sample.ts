import type { MeasuredAttempt } from "./measured.ts";

/** A measured attempt for tests, to be changed at one place. */
export function sampleMeasured(change: Partial<MeasuredAttempt> = {}): MeasuredAttempt {
  return {
    project: "six",
    configuration: "cpython-3.13",
    machine: "gvisor",
    slotSeconds: 10,
    cpuSeconds: 8,
    startSeconds: 0.2,
    aroundSeconds: 0.3,
    ...change,
  };
}
