import type { Generated } from "kysely";

/** The tables, as the migrations left them. Those of the first schema that nothing reads any more are left out. */
export interface Tables {
  project: { id: Generated<number>; name: string; visibility: string };
  release: { id: Generated<number>; project_id: number; version: string };
  configuration: { id: Generated<number>; name: string };
  image: { id: Generated<number>; name: string };
  result: {
    /** The attempt's. */
    id: string;
    release_id: number;
    project_id: number;
    configuration_id: number;
    image_id: number;
    reason: string;
    of_attempt: string | null;
    started_ms: number;
    outcome: string;
    cause_kind: string | null;
    /** All the rest, packed (sql/packed-detail.ts). */
    detail: Uint8Array;
  };
  /** Canonical test ids, interned for each project. */
  test: { id: Generated<number>; project_id: number; name: string };
  /** Tests that did not pass. */
  result_failure: { result_id: string; test_id: number; outcome: string; message: string };
}
