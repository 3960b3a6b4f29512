import type { Machine } from "../machine/machine.ts";
import type { MachineKind } from "../model/attempt.ts";
import { DEFAULT_LIMITS } from "../model/config/limits.ts";
import type { AttemptJob, ResolvedSource } from "./attempt-job.ts";

/** A whole job for tests: a release of which nothing is on this host. */
export function sampleJob(attemptId: string, source: Partial<ResolvedSource> = {}): AttemptJob {
  return {
    attemptId,
    configuration: "cpython-3.13",
    interpreter: {
      name: "cpython-3.13",
      implementation: "cpython",
      version: "3.13",
      executable: "/usr/bin/python3.13",
      fullVersion: "3.13.5",
      uv: true,
      builder: "debian",
      lacks: [],
    },
    imageId: "image",
    source: {
      kind: "release",
      project: "mine",
      version: "1.0",
      extras: [],
      sourceFile: null,
      wheelFile: null,
      wheelNames: [],
      requiresPython: null,
      yanked: null,
      sha256: "0".repeat(64),
      label: "mine 1.0",
      ...source,
    },
    buildFrom: "auto",
    limits: DEFAULT_LIMITS,
  };
}

/** A machine for tests that need none: nothing can be started. */
export function sampleMachine(kind: MachineKind): Machine {
  return {
    kind,
    capabilities: {
      tracer: "unsupported",
      hold: "unsupported",
      terminal: "unsupported",
      "clock-offset": "unsupported",
      "filesystem-difference": "unsupported",
    },
    slowness: 1,
    start: () => Promise.reject(new Error("nothing is started here")),
    startAhead: () => undefined,
    keepReady: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
