import { z } from "zod";

import { CAUSE_KINDS, type CauseKind } from "../../model/attempt.ts";
import { AttemptJson } from "../../model/result-json.ts";
import { parseCause } from "../../model/result-words.ts";
import type { Tables } from "../schema.ts";
import type { AttemptRecording, StoredAttempt } from "../store.ts";
import { packDetail, unpackDetail } from "./packed-detail.ts";
import { AReason, AVisibility } from "./stored-words.ts";

type Keys = "release_id" | "project_id" | "configuration_id" | "image_id";

/** The result's own row, all but its keys. */
export function rowOf(recording: AttemptRecording): Omit<Tables["result"], Keys> {
  const {
    id,
    project: _,
    version: __,
    configuration: ___,
    image: ____,
    outcome,
    axes,
    ...rest
  } = recording.attempt;
  const { image: _____, ...ownAxes } = axes;
  return {
    id,
    reason: recording.reason,
    of_attempt: recording.of ?? null,
    started_ms: Date.parse(recording.startedAt),
    outcome,
    cause_kind: rest.cause === null ? null : (parseCause(rest.cause)?.kind ?? null),
    detail: packDetail(id, { ...rest, axes: ownAxes }),
  };
}

/** A result's row joined with all that it refers to. */
export interface JoinedRow extends Omit<Tables["result"], Keys> {
  readonly project: string;
  readonly visibility: string;
  readonly version: string;
  readonly configuration: string;
  readonly image: string;
}

const Detail = z.looseObject({ axes: z.looseObject({}) });

/** Read back and checked: what lies in a file was written by some version of the farm, not by this line. */
export function attemptOf(row: JoinedRow): StoredAttempt {
  const { axes, ...rest } = Detail.parse(unpackDetail(row.id, row.detail));
  const { id, project, version, configuration, image, outcome } = row;
  return {
    attempt: AttemptJson.parse({
      ...rest,
      id,
      project,
      version,
      configuration,
      image,
      outcome,
      axes: { ...axes, image },
    }),
    visibility: AVisibility.parse(row.visibility),
    reason: AReason.parse(row.reason),
    of: row.of_attempt,
    startedAt: new Date(row.started_ms).toISOString(),
  };
}

/** Of what the farm did wrong. */
export const FARM_CAUSES: ReadonlySet<string> = new Set(CAUSE_KINDS.farm);

/** Causes that make an attempt no baseline: the farm's own, and what was never to run any test. */
export const NO_BASELINE: readonly CauseKind[] = [
  ...CAUSE_KINDS.farm,
  "machine-difference",
  "smoke-only",
];
