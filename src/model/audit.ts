import type { Action } from "./authorise.ts";
import type { PrincipalKind } from "./principals.ts";

/** What somebody did to the farm, or tried to: kept for good, changed by nobody. */
export interface AuditRecord {
  /** Made by whoever writes it, in the order of time; the same again is once. */
  readonly id: string;
  readonly atMs: number;
  readonly by: {
    readonly kind: PrincipalKind | "anonymous" | "farm";
    /** The principal's id; null for the others. */
    readonly id: string | null;
    /** Its name then. */
    readonly name: string;
  };
  readonly action: Action;
  /** What it was done to: a project, a job, a principal's id; empty for the farm as a whole. */
  readonly subject: string;
  readonly outcome: "done" | "refused" | "failed";
  /** What changed, or why not, in one line: no secret, at most 500 characters. */
  readonly detail: string;
  /** Where it came from; empty for the farm itself. */
  readonly address: string;
}

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** For the next, older page; null on the last. */
  readonly before: string | null;
}

export interface Audit {
  /** The same id again is no error and changes nothing. */
  append(record: AuditRecord): Promise<void>;
  /** Newest first, by id. @param before of the page before. */
  list(query: { readonly limit: number; readonly before?: string }): Promise<AuditPage>;
}
