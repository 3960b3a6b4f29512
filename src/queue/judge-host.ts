/** How the leases of one host ended lately. */
export interface HostRecord {
  readonly host: string;
  /** Leases that came to an end by what was tested or by the farm; none that were given back. */
  readonly finishes: number;
  /** Those whose end was the farm's own fault. */
  readonly faults: number;
}

export interface JudgePolicy {
  /** With fewer faults nothing is said of a host. */
  readonly leastFaults: number;
  /** The chance that a host like all others has so many faults, below which it is none like them. */
  readonly chance: number;
  /** The other hosts together must have ended so many leases to be compared with. */
  readonly leastOthers: number;
  /** Where there is nothing to compare with: so many ends at least, and such a share of faults. */
  readonly alone: { readonly finishes: number; readonly share: number };
}

export const JUDGE_POLICY: JudgePolicy = {
  leastFaults: 5,
  chance: 0.001,
  leastOthers: 20,
  alone: { finishes: 12, share: 0.9 },
};

/**
 * Whether a host fails by itself so much more often than the fleet that it should take no more jobs. What fails everywhere (an
 * image, an upstream) raises the others' share too, and takes nobody out.
 * @returns why, as one sentence's end; null for a host that is like the others, or of which too little is known.
 */
export function judgeHost(
  own: HostRecord,
  others: readonly HostRecord[],
  policy: JudgePolicy = JUDGE_POLICY,
): string | null {
  const { finishes, faults } = own;
  if (faults < policy.leastFaults) return null;
  const told = `${faults} of its last ${finishes} jobs ended by the farm's own fault`;
  const rest = {
    finishes: others.reduce((sum, one) => sum + one.finishes, 0),
    faults: others.reduce((sum, one) => sum + one.faults, 0),
  };
  if (rest.finishes < policy.leastOthers) {
    const { alone } = policy;
    const isBad = finishes >= alone.finishes && faults / finishes >= alone.share;
    return isBad ? `${told}, and no other host has ended enough to be compared with` : null;
  }
  // Laplace's rule: hosts without any fault may still have one.
  const usual = (rest.faults + 1) / (rest.finishes + 2);
  if (faults / finishes <= usual || chanceOfAtLeast(faults, finishes, usual) >= policy.chance)
    return null;
  return `${told}, and ${rest.faults} of the other hosts' last ${rest.finishes}`;
}

/** P(X >= k) of a binomial distribution: n tries, each with the chance p, 0 < p < 1. */
export function chanceOfAtLeast(k: number, n: number, p: number): number {
  // By logarithms: p ** n is 0 in floating point long before n is large.
  let logTerm = n * Math.log1p(-p);
  let sum = k <= 0 ? Math.exp(logTerm) : 0;
  for (let at = 1; at <= n; at++) {
    logTerm += Math.log((n - at + 1) / at) + Math.log(p) - Math.log1p(-p);
    if (at >= k) sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}
