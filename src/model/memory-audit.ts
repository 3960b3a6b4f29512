import type { Audit, AuditPage, AuditRecord } from "./audit.ts";

/** A record that a process forgets with its end, for tests. */
export class MemoryAudit implements Audit {
  readonly #records = new Map<string, AuditRecord>();

  append(record: AuditRecord): Promise<void> {
    if (!this.#records.has(record.id)) this.#records.set(record.id, record);
    return Promise.resolve();
  }

  list({
    limit,
    before,
  }: {
    readonly limit: number;
    readonly before?: string;
  }): Promise<AuditPage> {
    const rest = [...this.#records.values()]
      .filter(({ id }) => before === undefined || id < before)
      .toSorted((left, right) => (left.id < right.id ? 1 : -1));
    const records = rest.slice(0, limit);
    const last = rest.length > limit ? records.at(-1) : undefined;
    return Promise.resolve({ records, before: last?.id ?? null });
  }
}
