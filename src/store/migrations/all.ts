import { results } from "./0001-results.ts";
import { interpretersBuilder } from "./0002-interpreters-builder.ts";
import { compactResults } from "./0003-compact-results.ts";
import { queue } from "./0004-queue.ts";
import { watchersAndPrincipals } from "./0005-watchers-and-principals.ts";
import { graphAndRetests } from "./0006-graph-and-retests.ts";
import { verdictChanges } from "./0007-verdict-changes.ts";
import { notices } from "./0008-notices.ts";
import { sessions } from "./0009-sessions.ts";
import type { Migration } from "./migration.ts";

/** All of them, in order. */
export const MIGRATIONS: readonly Migration[] = [
  results,
  interpretersBuilder,
  compactResults,
  queue,
  watchersAndPrincipals,
  graphAndRetests,
  verdictChanges,
  notices,
  sessions,
];
