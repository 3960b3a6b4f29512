import { meanOf } from "./distribution.ts";
import { hasRun, type MeasuredAttempt } from "./measured.ts";
import { normal, seeded, seedOf } from "./seeded.ts";

/** An attempt's limits together: what takes longer is ended. */
const LONGEST_SECONDS = 1800;

/**
 * How long attempts hold their slots: lognormal, since suites differ by factors and not by seconds (few take much of the
 * time). A project has its size, which all its attempts share; what is left differs between attempts of one project.
 */
export interface ServiceModel {
  /** Of the logarithms, in seconds. */
  readonly mu: number;
  readonly sigmaOfProjects: number;
  readonly sigmaWithin: number;
  /** Of attempts that ran nothing, and how long they took. */
  readonly skippedShare: number;
  readonly skippedSeconds: number;
  readonly longestSeconds: number;
}

/**
 * The model of what was measured. The tail of few attempts is a guess, their mean is not: the model is moved so that its
 * mean, with what limits cut off, is the measured one.
 */
export function fitService(attempts: readonly MeasuredAttempt[]): ServiceModel {
  const ran = attempts.filter(hasRun);
  const skipped = attempts.filter((one) => !hasRun(one));
  const logOf = ({ slotSeconds }: MeasuredAttempt) => Math.log(slotSeconds);
  const mu = meanOf(ran.map(logOf));
  const total = meanOf(ran.map((one) => (logOf(one) - mu) ** 2));
  const within = varianceWithin(
    [...Map.groupBy(ran, ({ project }) => project).values()].map((own) => own.map(logOf)),
  );
  const sigmaWithin = Math.sqrt(Math.min(total, within));
  const sigmaOfProjects = Math.sqrt(Math.max(0, total - within));
  const wanted = meanOf(ran.map(({ slotSeconds }) => slotSeconds));
  return {
    mu: muWithMean(wanted, mu, Math.sqrt(total)),
    sigmaOfProjects,
    sigmaWithin,
    skippedShare: attempts.length === 0 ? 0 : skipped.length / attempts.length,
    skippedSeconds: meanOf(skipped.map(({ slotSeconds }) => slotSeconds)),
    longestSeconds: LONGEST_SECONDS,
  };
}

/** Of attempts about their own project's mean; 0 where no project has two. */
function varianceWithin(projects: readonly (readonly number[])[]): number {
  let [squares, freedom] = [0, 0];
  for (const own of projects) {
    const mean = meanOf(own);
    for (const value of own) squares += (value - mean) ** 2;
    freedom += own.length - 1;
  }
  return freedom === 0 ? 0 : squares / freedom;
}

const STEPS = 2000;
const REACH = 6;

/** The mean of a lognormal of which nothing is longer than so much. */
export function cutMean(mu: number, sigma: number, longest: number): number {
  let [sum, weights] = [0, 0];
  for (let step = 0; step < STEPS; step++) {
    const z = -REACH + ((step + 0.5) * 2 * REACH) / STEPS;
    const weight = Math.exp((-z * z) / 2);
    sum += weight * Math.min(longest, Math.exp(mu + sigma * z));
    weights += weight;
  }
  return sum / weights;
}

function muWithMean(wanted: number, begin: number, sigma: number): number {
  if (wanted <= 0) return begin;
  let mu = begin;
  for (let round = 0; round < 20; round++)
    mu += Math.log(Math.min(wanted, LONGEST_SECONDS) / cutMean(mu, sigma, LONGEST_SECONDS));
  return mu;
}

/** Draws from a model; the same seed draws the same, whatever is asked first. */
export class ServiceTimes {
  readonly #model: ServiceModel;
  readonly #seed: number;

  constructor(model: ServiceModel, seed: number) {
    this.#model = model;
    this.#seed = seed;
  }

  /** @param job its key: another one of the same project takes somewhat more or less. */
  secondsOf(project: string, job: string): number {
    const { mu, sigmaOfProjects, sigmaWithin, skippedShare, skippedSeconds, longestSeconds } =
      this.#model;
    const own = seeded(seedOf(job, this.#seed));
    if (own() < skippedShare) return skippedSeconds;
    const size = normal(seeded(seedOf(project, this.#seed)));
    const log = mu + sigmaOfProjects * size + sigmaWithin * normal(own);
    return Math.min(longestSeconds, Math.exp(log));
  }
}
