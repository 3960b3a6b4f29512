import { CreameryError } from "../../base/errors.ts";
import type { MachineKind } from "../../model/attempt.ts";
import { CORPUS_FIGURES } from "./corpus-figures.ts";
import { FEWEST_MEASURED, hasRun, type MeasuredAttempt } from "./measured.ts";

/** What the sums are done with, and whose that is. */
export interface Figures {
  /** `corpus`: what Creamery's own record of real releases took, since this farm has measured too little. */
  readonly from: "farm" | "corpus";
  readonly machine: MachineKind;
  /** Of this machine kind, that ran anything; whether they were enough or not. */
  readonly ownAttempts: number;
  readonly attempts: readonly MeasuredAttempt[];
}

/** Where a farm has measured nothing. */
const USUAL: MachineKind = "gvisor";

/**
 * This farm's own attempts of one machine kind, where there are enough; else the shipped ones.
 * @param wanted the kind; where it is left out that of most of the farm's attempts.
 * @throws CreameryError `usage` where neither has any of that kind.
 */
export function chooseFigures(
  own: readonly MeasuredAttempt[],
  wanted: MachineKind | undefined,
): Figures {
  const kinds = Map.groupBy(own.filter(hasRun), ({ machine }) => machine);
  const [most] = [...kinds].toSorted(([, one], [, other]) => other.length - one.length);
  const isEnough = most !== undefined && most[1].length >= FEWEST_MEASURED;
  const machine = wanted ?? (isEnough ? most[0] : USUAL);
  const attempts = own.filter((one) => one.machine === machine);
  const ownAttempts = kinds.get(machine)?.length ?? 0;
  if (ownAttempts >= FEWEST_MEASURED) return { from: "farm", machine, ownAttempts, attempts };
  const shipped = CORPUS_FIGURES.filter((one) => one.machine === machine);
  if (shipped.length > 0) return { from: "corpus", machine, ownAttempts, attempts: shipped };
  throw new CreameryError(
    "usage",
    `this farm has measured ${ownAttempts} attempts of this kind, ${FEWEST_MEASURED} are needed, and none are shipped`,
    {
      input: `--machine ${machine}`,
      nextStep: `test more with ./creamery test --machine ${machine}, or ask for another kind`,
    },
  );
}
