import type { DatabaseSync } from "node:sqlite";

/** The number of the last migration that the file has seen. */
export function userVersion(database: DatabaseSync): number {
  return Number(database.prepare("pragma user_version").get()?.["user_version"] ?? 0);
}
