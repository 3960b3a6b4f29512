import type { Change } from "../../judge/change.ts";
import {
  compareSides,
  ROUNDS,
  wantsAnotherRound,
  type Compared,
  type SideRun,
} from "../../judge/compare-sides.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { AttemptJob } from "../../worker/attempt-job.ts";
import { readBuildRequirements } from "../../worker/build-requires.ts";
import type { Farm } from "../farm/open-farm.ts";
import type { Progress } from "../test/progress.ts";
import { runJobs } from "../test/run-jobs.ts";
import type { CellState, CellStates } from "./cell-state.ts";
import { loadRun } from "./load-run.ts";
import type { Cell } from "./plan-cells.ts";

/** A cell, and what its runs say. */
export interface ComparedCell {
  readonly cell: Cell;
  readonly from: "auto" | "sdist";
  /** RFC 3339; null where nothing was run. */
  readonly startedAt: string | null;
  readonly compared: Compared;
  readonly a: readonly SideRun[];
  readonly b: readonly SideRun[];
}

export interface RunCellsOptions {
  readonly farm: Farm;
  readonly change: Change;
  readonly cells: readonly Cell[];
  readonly states: CellStates;
  /** As typed after `--from`. */
  readonly from: "auto" | "sdist";
  readonly fresh: boolean;
  readonly atOnce: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface RanCells {
  readonly compared: readonly ComparedCell[];
  /** Cells that did not come to their end. */
  readonly left: number;
  /** What ended the rest early; undefined where nothing did. */
  readonly fault: unknown;
}

interface Running {
  readonly cell: Cell;
  state: CellState;
}

/**
 * Runs both sides of each cell, one after the other in the same list, and where they differ both of them once more. What
 * was run to its end before is taken as it is.
 * @throws CreameryError where not even what is there could be read; what ends the runs early is in `fault`.
 */
export async function runCells(options: RunCellsOptions): Promise<RanCells> {
  const { cells, change, farm, signal } = options;
  const running = await beginCells(options);
  let fault: unknown;
  for (let round = 0; round < ROUNDS && fault === undefined; round++) {
    const jobs = await jobsOfRound(round, running, options);
    if (jobs.length === 0) continue;
    if (round > 0)
      options.progress.say(`creamery: both sides once more where they differ: ${jobs.length} runs`);
    ({ fault } = await runJobs({
      farm,
      jobs,
      atOnce: options.atOnce,
      reason: "experiment",
      progress: options.progress,
      log: false,
      signal,
    }));
  }
  // Reading what is kept is not to be ended by what ended the runs.
  const { signal: reading } = new AbortController();
  const compared: ComparedCell[] = [];
  for (const cell of cells) {
    if (cell.pointless !== null) {
      const { from } = options;
      compared.push({ cell, from, startedAt: null, a: [], b: [], compared: said(cell.pointless) });
      continue;
    }
    const found = running.find((one) => one.cell === cell);
    if (found === undefined) continue;
    const { a, b } = await runsOf(found, farm, reading);
    if (!isWhole(found, change, a, b)) continue;
    const { from, startedAt } = found.state;
    compared.push({ cell, from, startedAt, a, b, compared: compareSides(change, a, b) });
  }
  return { compared, left: cells.length - compared.length, fault };
}

function said(why: string): Compared {
  return {
    verdict: "incomparable",
    exercised: null,
    confidence: "unconfirmed",
    why: [why],
    tests: { broken: [], fixed: [] },
    moved: [],
    farmFault: false,
  };
}

function isWhole(
  { state }: Running,
  change: Change,
  a: readonly SideRun[],
  b: readonly SideRun[],
): boolean {
  const { length } = state.rounds;
  return (
    length > 0 && a.length === length && b.length === length && !wantsAnotherRound(change, a, b)
  );
}

/** What was begun before, or is begun now. */
async function beginCells(options: RunCellsOptions): Promise<Running[]> {
  const { cells, progress } = options;
  const wanted = cells.filter(({ pointless }) => pointless === null);
  const known = await Promise.all(wanted.map((cell) => stateBefore(cell, options)));
  const begun = known.filter((state) => state !== null);
  const since = begun.map(({ startedAt }) => startedAt).toSorted()[0];
  if (since !== undefined)
    progress.say(
      `creamery: goes on with what was begun before: ${begun.length} of ${wanted.length}, since ${since}; --fresh begins anew`,
    );
  const froms = await waysToInstall(
    wanted.filter((_, at) => known[at] === null),
    options,
  );
  const startedAt = new Date().toISOString();
  return wanted.map((cell, at) => ({
    cell,
    state: known[at] ?? {
      schema: 1,
      startedAt,
      from: froms.get(cell.source.sha256) ?? "auto",
      rounds: [],
    },
  }));
}

/** Null where nothing was begun, or it ended by the farm's fault: that says nothing which is worth to be kept to. */
async function stateBefore(
  cell: Cell,
  { states, fresh, change, farm, signal }: RunCellsOptions,
): Promise<CellState | null> {
  const state = fresh ? null : await states.read(cell.key);
  if (state === null) return null;
  const { a, b } = await runsOf({ cell, state }, farm, signal);
  const whole = isWhole({ cell, state }, change, a, b);
  return whole && compareSides(change, a, b).farmFault ? null : state;
}

/** By a source's sha256, some looked at side by side. */
async function waysToInstall(
  cells: readonly Cell[],
  options: RunCellsOptions,
): Promise<ReadonlyMap<string, "auto" | "sdist">> {
  const left = [...new Map(cells.map((cell) => [cell.source.sha256, cell])).values()];
  const found = new Map<string, "auto" | "sdist">();
  const work = async (): Promise<void> => {
    for (let cell = left.shift(); cell !== undefined; cell = left.shift())
      found.set(cell.source.sha256, await wayToInstall(cell, options));
  };
  await Promise.all(Array.from({ length: Math.min(options.atOnce, left.length) }, work));
  return found;
}

/** Built from source where what changes is a tool that it is built with: a published wheel would not meet it. */
async function wayToInstall(
  { source, a }: Cell,
  { change, from, farm, signal }: RunCellsOptions,
): Promise<"auto" | "sdist"> {
  const { sourceFile } = source;
  if (sourceFile === null) return "auto";
  if (from === "sdist" || change.kind !== "release" || a.job === null) return from;
  const named = await readBuildRequirements(
    sourceFile,
    {
      machine: farm.machine,
      imageId: a.image,
      limits: a.job.limits,
      workDirectory: farm.workDirectory,
      newId: newAttemptId,
    },
    signal,
  ).catch((): null => {
    // An archive that takes its guest with it does so in its attempts too, which say what it was.
    signal.throwIfAborted();
    return null;
  });
  return named?.includes(change.project) === true ? "sdist" : "auto";
}

/** The jobs of a round that are still to be run, A and B of each cell in turn; their ids are written down first. */
async function jobsOfRound(
  round: number,
  running: readonly Running[],
  options: RunCellsOptions,
): Promise<readonly AttemptJob[]> {
  const { farm, change, states, signal } = options;
  const jobs: AttemptJob[] = [];
  for (const one of running) {
    const { cell } = one;
    if (cell.a.job === null || cell.b.job === null) continue;
    const { a, b } = await runsOf(one, farm, signal);
    const begun = one.state.rounds[round];
    if (begun === undefined && round > 0 && !wantsAnotherRound(change, a, b)) continue;
    const ids = { a: begun?.a ?? newAttemptId(), b: begun?.b ?? newAttemptId() };
    const isDone = async (id: string | undefined) =>
      id !== undefined && (await farm.store.attempt(id))?.attempt.id === id;
    const [doneA, doneB] = [await isDone(begun?.a), await isDone(begun?.b)];
    if (doneA && doneB) continue;
    // What was broken off may have left something under its id.
    if (!doneA && begun !== undefined) ids.a = newAttemptId();
    if (!doneB && begun !== undefined) ids.b = newAttemptId();
    const rounds = [...one.state.rounds];
    rounds[round] = ids;
    one.state = { ...one.state, rounds };
    await states.write(cell.key, one.state);
    const buildFrom = one.state.from;
    if (!doneA) jobs.push({ ...cell.a.job, attemptId: ids.a, buildFrom });
    if (!doneB) jobs.push({ ...cell.b.job, attemptId: ids.b, buildFrom });
  }
  return jobs;
}

/** What was run to its end, in the order of the rounds, of each side as far as it goes without a gap. */
async function runsOf(
  { state }: Running,
  farm: Pick<Farm, "store" | "bucket">,
  signal: AbortSignal,
): Promise<{ readonly a: readonly SideRun[]; readonly b: readonly SideRun[] }> {
  const a: SideRun[] = [];
  const b: SideRun[] = [];
  for (const round of state.rounds) {
    const one = await loadRun(round.a, farm, signal);
    const other = await loadRun(round.b, farm, signal);
    if (one === null || other === null) break;
    a.push(one);
    b.push(other);
  }
  return { a, b };
}
