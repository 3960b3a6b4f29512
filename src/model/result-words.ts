import {
  CAUSE_KINDS,
  type Cause,
  type CauseGroup,
  type CauseKind,
  type Confidence,
} from "./attempt.ts";

/** How causes and confidences are written wherever a person or a program reads them (docs/results.md). */

const GROUP_OF: ReadonlyMap<string, CauseGroup> = new Map(
  groups().flatMap(([group, kinds]) => kinds.map((kind) => [kind, group] as const)),
);

function groups(): (readonly [CauseGroup, readonly CauseKind[]])[] {
  return [
    ["package", CAUSE_KINDS.package],
    ["dependency", CAUSE_KINDS.dependency],
    ["interpreter", CAUSE_KINDS.interpreter],
    ["toolchain", CAUSE_KINDS.toolchain],
    ["environment", CAUSE_KINDS.environment],
    ["limit", CAUSE_KINDS.limit],
    ["farm", CAUSE_KINDS.farm],
  ];
}

/** All kinds of the closed list. */
export const ALL_CAUSE_KINDS: readonly CauseKind[] = groups().flatMap(([, kinds]) => kinds);

export function isCauseKind(text: string): text is CauseKind {
  return GROUP_OF.has(text);
}

/** Who must act. */
export function causeGroup(kind: CauseKind): CauseGroup {
  const group = GROUP_OF.get(kind);
  if (group === undefined) throw new TypeError(`no cause: ${kind}`);
  return group;
}

/** `missing-system-library(lzo/lzo1x.h)`, `timeout`. */
export function formatCause(cause: Cause): string {
  return cause.detail === undefined ? cause.kind : `${cause.kind}(${cause.detail})`;
}

/** The inverse of `formatCause`; null for what is no cause. */
export function parseCause(text: string): Cause | null {
  const match = /^([a-z-]+)(?:\((.*)\))?$/s.exec(text);
  if (match?.[1] === undefined || !isCauseKind(match[1])) return null;
  return match[2] === undefined ? { kind: match[1] } : { kind: match[1], detail: match[2] };
}

/** `confirmed(2/2)`, `flaky`, `unconfirmed`, `inferred`. */
export function formatConfidence(confidence: Confidence): string {
  switch (confidence.kind) {
    case "confirmed":
      return `confirmed(${confidence.agreed}/${confidence.runs})`;
    case "flaky":
    case "unconfirmed":
    case "inferred":
      return confidence.kind;
  }
}

/** The inverse of `formatConfidence`; null for what is no confidence. */
export function parseConfidence(text: string): Confidence | null {
  const match = /^confirmed\((\d+)\/(\d+)\)$/.exec(text);
  if (match !== null)
    return { kind: "confirmed", agreed: Number(match[1]), runs: Number(match[2]) };
  return text === "flaky" || text === "unconfirmed" || text === "inferred" ? { kind: text } : null;
}
