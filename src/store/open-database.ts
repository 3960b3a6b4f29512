import type { Database } from "./database.ts";
import { isPostgresqlUrl } from "./postgresql-url.ts";

/**
 * Opens the farm's store, whichever it is, and brings its schema up to date.
 * @param location a path of SQLite's file, or `postgres://user:password@host/name`.
 * @throws CreameryError `store`, `disk-full`.
 */
export async function openDatabase(location: string): Promise<Database> {
  if (isPostgresqlUrl(location)) {
    const { openPostgresql } = await import("./postgresql/open-postgresql.ts");
    return openPostgresql(location);
  }
  const [{ openSqliteFile }, { SqliteDatabase }] = await Promise.all([
    import("./sqlite/open-file.ts"),
    import("./sqlite/sqlite-database.ts"),
  ]);
  return new SqliteDatabase(await openSqliteFile(location, "full"), location);
}
