import type { Database } from "./database.ts";

/** @throws CreameryError `store` where the store does not answer. */
export async function probe(database: Pick<Database, "read">): Promise<void> {
  await database.read((db) => db.selectFrom("farm_setting").select("name").limit(1).execute());
}
