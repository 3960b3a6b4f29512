import { sampleAttempt } from "../../model/result-json.sample.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { newAttemptId } from "../attempt-id.ts";
import type { Database } from "../database.ts";
import type { AttemptRecording } from "../store.ts";
import { insertResult } from "./sql-store.ts";

const SECOND_MS = 1000;

/** Keeps results one after the other, a second apart, for tests of what changes. */
export class ChangeRecorder {
  readonly #database: Database;
  /** When the next is begun, ms since 1970. */
  atMs: number;

  constructor(database: Database, startMs: number = Date.UTC(2026, 10, 24, 10)) {
    this.#database = database;
    this.atMs = startMs;
  }

  /** @returns the attempt's id. */
  async record(
    attempt: Partial<AttemptJson> = {},
    more: Partial<AttemptRecording> = {},
  ): Promise<string> {
    this.atMs += SECOND_MS;
    const id = attempt.id ?? newAttemptId(this.atMs);
    const recording: AttemptRecording = {
      attempt: sampleAttempt({ seconds: { total: 0 }, ...attempt, id }),
      visibility: "public",
      reason: "release",
      startedAt: new Date(this.atMs).toISOString(),
      results: [],
      ...more,
    };
    await this.#database.write((within) => insertResult(within, recording));
    return id;
  }

  pass(attempt: Partial<AttemptJson> = {}, more: Partial<AttemptRecording> = {}): Promise<string> {
    const good = { outcome: "pass", cause: null, confidence: "unconfirmed" } as const;
    return this.record({ ...attempt, ...good }, more);
  }

  /** A pass, and then a failure that is confirmed. @returns the failure's id. */
  async breaks(
    attempt: Partial<AttemptJson> = {},
    more: Partial<AttemptRecording> = {},
  ): Promise<string> {
    const { why: _, ...before } = attempt;
    await this.pass(before, more);
    return this.record(attempt, more);
  }
}
