import { senderOf } from "./client-address.ts";

export interface TryBounds {
  /** Of one address within the window. */
  readonly tries: number;
  readonly windowMs: number;
  /** Of addresses that are remembered: the one that failed longest ago is forgotten first. */
  readonly addresses: number;
}

export const DEFAULT_TRIES: TryBounds = { tries: 20, windowMs: 60_000, addresses: 10_000 };

/** Who has failed too often of late to show who they are. Bounded however many addresses fail. */
export class FailedTries {
  readonly #bounds: TryBounds;
  /** In the order of the last failure. */
  readonly #failed = new Map<string, { count: number; readonly sinceMs: number }>();

  constructor(bounds: TryBounds = DEFAULT_TRIES) {
    this.#bounds = bounds;
  }

  note(address: string, nowMs: number): void {
    const sender = senderOf(address);
    const before = this.#current(sender, nowMs);
    this.#failed.delete(sender);
    this.#failed.set(sender, {
      count: (before?.count ?? 0) + 1,
      sinceMs: before?.sinceMs ?? nowMs,
    });
    if (this.#failed.size <= this.#bounds.addresses) return;
    const [oldest] = this.#failed.keys();
    if (oldest !== undefined) this.#failed.delete(oldest);
  }

  /** For how long yet an address has failed too often, in seconds; 0 when it has not. */
  waitSeconds(address: string, nowMs: number): number {
    const failed = this.#current(senderOf(address), nowMs);
    if (failed === undefined || failed.count < this.#bounds.tries) return 0;
    return Math.max(1, Math.ceil((failed.sinceMs + this.#bounds.windowMs - nowMs) / 1000));
  }

  get size(): number {
    return this.#failed.size;
  }

  #current(sender: string, nowMs: number): { count: number; readonly sinceMs: number } | undefined {
    const failed = this.#failed.get(sender);
    return failed !== undefined && nowMs - failed.sinceMs < this.#bounds.windowMs
      ? failed
      : undefined;
  }
}
