/** A delivery of a webhook, as far as it tells one from another. */
export interface DeliveryKey {
  /** Forge and project, `github:lmdb`: deliveries of different scopes have nothing to do with each other. */
  readonly scope: string;
  /** What the forge calls it; null where it gave it no name. */
  readonly id: string | null;
  /** Of the raw body, hexadecimal. */
  readonly bodySha256: string;
  /**
   * Whether the same body again, under whatever id, is the same delivery. So it is where the signature covers the body
   * and nothing else: who has seen one delivery could send it again under any id.
   */
  readonly byBody: boolean;
}

/** `seen`: this one, before. `other-body`: the id came before with another body, which no honest forge sends. */
export type DeliveryStanding = "new" | "seen" | "other-body";

/**
 * Deliveries that were acted upon. One is kept after its work is queued, not before: whoever dies in between gets it
 * again and queues the same jobs under the same names, which is once. One that has neither an id nor `byBody` is
 * always new.
 */
export interface Deliveries {
  look(key: DeliveryKey): Promise<DeliveryStanding>;
  /** @returns what it was until now; one that was not new changes nothing. @param nowMs since the epoch. */
  keep(key: DeliveryKey, nowMs: number): Promise<DeliveryStanding>;
  /** Forgets those that were kept before a time. @returns how many. */
  forget(beforeMs: number): Promise<number>;
}
