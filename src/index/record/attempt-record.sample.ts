import { RecordBuilder } from "./record-builder.ts";
import type { AttemptRecord } from "./attempt-record.ts";

/** The record of an attempt that asked for nothing, but for what is given. */
export function sampleRecord(more: Partial<AttemptRecord> = {}): AttemptRecord {
  const head = {
    attemptId: "a1",
    openedAt: "2026-11-24T10:00:00.000Z",
    upstreams: [],
    before: null,
    replayed: false,
  };
  return { ...new RecordBuilder(head).build(), ...more };
}
