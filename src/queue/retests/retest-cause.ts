import type { RetestCandidate } from "../../store/sql/retest-rows.ts";

export const RETEST_CAUSES = ["dependency", "interpreter", "image", "new", "age", "cycle"] as const;
export type RetestCause = (typeof RETEST_CAUSES)[number];

/** One job that could be planned, and why. */
export interface WantedRetest {
  readonly cause: RetestCause;
  /** The same cause asks for the same once. */
  readonly key: string;
  /** For people: `numpy 2.4 is new`. */
  readonly why: string;
  readonly candidate: RetestCandidate;
}

/**
 * Takes from several lists in turn, so that none of them has all of what there is room for; the same project and configuration once.
 * @param most of what is returned.
 */
export function inTurns(
  lists: readonly (readonly WantedRetest[])[],
  most: number,
): readonly WantedRetest[] {
  const taken = new Map<string, WantedRetest>();
  const places = lists.map(() => 0);
  for (let isAny = true; isAny && taken.size < most;) {
    isAny = false;
    for (const [index, list] of lists.entries()) {
      let place = places[index] ?? 0;
      while (place < list.length) {
        const one = list[place++];
        if (one === undefined) break;
        const cell = `${one.candidate.projectId} ${one.candidate.configuration}`;
        if (taken.has(cell)) continue;
        isAny = true;
        if (taken.size < most) taken.set(cell, one);
        break;
      }
      places[index] = place;
    }
  }
  return [...taken.values()];
}
