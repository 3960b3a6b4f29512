import { openStore } from "../../store/open-store.ts";
import { isPostgresqlUrl } from "../../store/postgresql-url.ts";
import type { Store } from "../../store/store.ts";

/** The results at a location (store-location.ts). Of SQLite nothing is loaded before something is asked. @throws CreameryError `store`, `disk-full`. */
export async function openFarmStore(location: string): Promise<Store> {
  if (!isPostgresqlUrl(location)) return openStore(location);
  const [{ openPostgresql }, { SqlStore }] = await Promise.all([
    import("../../store/postgresql/open-postgresql.ts"),
    import("../../store/sql/sql-store.ts"),
  ]);
  return new SqlStore(await openPostgresql(location));
}
