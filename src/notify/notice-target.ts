import type { Notice } from "./change-notice.ts";

/** What became of one try. */
export type Delivery =
  | { readonly kind: "delivered" }
  /** It is tried again. */
  | {
      readonly kind: "later";
      /** For the log: no secret, nothing of an address but its host. */
      readonly reason: string;
      /** Not before, where the receiver asked for that. */
      readonly afterMs: number | null;
      /** Nothing else that waits for this host would fare better now. */
      readonly isOfHost: boolean;
    }
  /** It would never be taken. */
  | { readonly kind: "refused"; readonly reason: string };

export interface Sending {
  /** The same each time that it is tried: by it the receiver can tell. */
  readonly id: string;
  readonly notice: Notice;
  /** Whether an earlier try may have been delivered, and nobody heard of it. */
  readonly isRepeat: boolean;
  readonly nowMs: number;
}

export const TARGET_KINDS = ["webhook", "github", "gitlab"] as const;
export type TargetKind = (typeof TARGET_KINDS)[number];

/** Where the notices of one project go. */
export interface NoticeTarget {
  readonly kind: TargetKind;
  /** Normalised name. */
  readonly project: string;
  /** Who is asked one thing after the other. */
  readonly host: string;
  readonly takes: Notice["about"];
  send(sending: Sending, signal: AbortSignal): Promise<Delivery>;
}

/** An attempt's page; null where the farm does not know where people find it. */
export type AttemptUrl = (attempt: string) => string | null;
