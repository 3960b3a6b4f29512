import { results } from "./0001-results.ts";
import { interpretersBuilder } from "./0002-interpreters-builder.ts";
import type { Migration } from "./migration.ts";

/** All of them, in order. */
export const MIGRATIONS: readonly Migration[] = [results, interpretersBuilder];
