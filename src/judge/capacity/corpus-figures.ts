import type { MeasuredAttempt } from "./measured.ts";

type Row = readonly [
  project: string,
  slotSeconds: number,
  cpuSeconds: number,
  startSeconds: number,
  aroundSeconds: number,
];

/**
 * What real releases took, for farms that have measured too little: the record that `npm run -s bench:corpus` tests, on
 * CPython 3.11 and gVisor, two attempts side by side on a host of 2 cores that did other work besides: upper bounds.
 * Processor seconds are without the runs that confirmed.
 */
const ROWS: readonly Row[] = [
  ["markupsafe", 3.18, 1.86, 0.19, 0.8],
  ["attrs", 32.77, 27.32, 0.18, 1.1],
  ["itsdangerous", 3.78, 2.94, 0.18, 0.38],
  ["click", 17.72, 14.54, 0.2, 0.65],
  ["packaging", 125.28, 97.52, 0.18, 0.65],
  ["lmdb", 17.71, 10.76, 0.27, 0.67],
  ["python-dateutil", 65.45, 49.86, 0.25, 1.16],
  ["msgpack", 3.22, 2.92, 0.2, 0.3],
  ["idna", 20.73, 19.46, 0.17, 0.46],
  ["simplejson", 2.64, 2.05, 0.19, 0.47],
  ["pluggy", 4.1, 3.16, 0.28, 0.52],
  ["sortedcontainers", 1.03, 0.88, 0.21, 0.33],
  ["six", 3.68, 2.64, 0.28, 0.38],
  ["zope-interface", 4.53, 3.72, 0.23, 0.68],
  ["bottle", 2.92, 2.33, 0.2, 0.66],
  ["blinker", 2.75, 2.03, 0.17, 0.31],
  ["wrapt", 8.03, 6.06, 0.26, 0.67],
  ["cachetools", 3.11, 2.62, 0.17, 0.29],
  ["pycparser", 5.85, 3.83, 0.3, 0.85],
  ["tornado", 51.58, 28.01, 0.27, 1.37],
  ["ujson", 6.88, 3.74, 0.23, 0.82],
  ["cryptography", 38.18, 33.59, 0.49, 1.1],
  ["docutils", 9.93, 8.69, 0.33, 3.76],
];

/** Of gVisor alone: containers differ little, virtual machines by a factor of 20 with what the host has. */
export const CORPUS_FIGURES: readonly MeasuredAttempt[] = ROWS.map(
  ([project, slotSeconds, cpuSeconds, startSeconds, aroundSeconds]) => ({
    project,
    configuration: "cpython-3.11",
    machine: "gvisor",
    slotSeconds,
    cpuSeconds,
    startSeconds,
    aroundSeconds,
  }),
);
