import type { Migration } from "./migration.ts";

/** Who built the interpreter is an axis: until then all were Debian's. */
export const interpretersBuilder: Migration = {
  number: 2,
  what: "who built the interpreter",
  async up(db) {
    await db.schema
      .alterTable("axes")
      .addColumn("builder", "text", (column) => column.notNull().defaultTo("debian"))
      .execute();
  },
};
