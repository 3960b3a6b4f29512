import type { Deliveries, DeliveryKey, DeliveryStanding } from "./deliveries.ts";

/** Deliveries that a process forgets with its end: for tests, and for a farm that keeps nothing. */
export class MemoryDeliveries implements Deliveries {
  readonly #kept: { readonly key: DeliveryKey; readonly atMs: number }[] = [];

  look(key: DeliveryKey): Promise<DeliveryStanding> {
    return Promise.resolve(this.#standing(key));
  }

  keep(key: DeliveryKey, nowMs: number): Promise<DeliveryStanding> {
    const standing = this.#standing(key);
    if (standing === "new" && (key.id !== null || key.byBody))
      this.#kept.push({ key, atMs: nowMs });
    return Promise.resolve(standing);
  }

  forget(beforeMs: number): Promise<number> {
    const staying = this.#kept.filter(({ atMs }) => atMs >= beforeMs);
    const gone = this.#kept.length - staying.length;
    this.#kept.splice(0, this.#kept.length, ...staying);
    return Promise.resolve(gone);
  }

  #standing({ scope, id, bodySha256, byBody }: DeliveryKey): DeliveryStanding {
    const inScope = this.#kept.filter(({ key }) => key.scope === scope);
    const named = id === null ? undefined : inScope.find(({ key }) => key.id === id);
    if (named !== undefined) return named.key.bodySha256 === bodySha256 ? "seen" : "other-body";
    return byBody && inScope.some(({ key }) => key.bodySha256 === bodySha256) ? "seen" : "new";
  }
}
