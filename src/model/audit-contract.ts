import { expect, test } from "vitest";

import type { Audit, AuditRecord } from "./audit.ts";

/** What every kind of `Audit` does alike; `open` opens an empty one. */
export function auditContract(open: () => Promise<Audit>): void {
  const record = (id: string, change: Partial<AuditRecord> = {}): AuditRecord => ({
    id,
    atMs: 1000,
    by: { kind: "person", id: "0000000000000000", name: "somebody" },
    action: "drain",
    subject: "",
    outcome: "done",
    detail: "drained for the night",
    address: "192.0.2.1",
    ...change,
  });

  test("gives back what was appended, whole, newest first", async () => {
    const audit = await open();
    const hostile = record("a2", {
      by: { kind: "anonymous", id: null, name: "" },
      action: "manage-principals",
      subject: "'; drop table audit; -- 漢",
      outcome: "refused",
      detail: '\u202e " \\ %_',
      address: "",
    });
    await audit.append(record("a1"));
    await audit.append(hostile);
    expect(await audit.list({ limit: 10 })).toEqual({
      records: [hostile, record("a1")],
      before: null,
    });
  });

  test("the same id again changes nothing", async () => {
    const audit = await open();
    await audit.append(record("a1"));
    await audit.append(record("a1", { detail: "something else" }));
    expect((await audit.list({ limit: 10 })).records).toEqual([record("a1")]);
  });

  test("is read page by page, also while more is appended", async () => {
    const audit = await open();
    for (const id of ["a3", "a1", "a2", "a5", "a4"]) await audit.append(record(id));
    const first = await audit.list({ limit: 2 });
    expect(first.records.map(({ id }) => id)).toEqual(["a5", "a4"]);
    await audit.append(record("a6"));
    const second = await audit.list({ limit: 3, before: first.before ?? "" });
    expect(second.records.map(({ id }) => id)).toEqual(["a3", "a2", "a1"]);
    expect(second.before).toBeNull();
    expect(await audit.list({ limit: 3, before: "a1" })).toEqual({ records: [], before: null });
  });
}
