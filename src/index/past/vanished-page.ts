import { createHash } from "node:crypto";

import type { PageHistory } from "./page-history.ts";
import type { ProjectPage } from "../page/project-page.ts";

/**
 * The page, of no files, of a project that its index has no more: what was on it at that instant is to be had of its history.
 * @returns null when it was gone by then already, as far as is known.
 */
export function vanishedPage(
  name: string,
  history: PageHistory,
  at: Date,
  upstream: string,
): ProjectPage | null {
  const { changes } = history;
  if (!changes.some(({ kind, byMs }) => kind === "gone" && byMs > at.getTime())) return null;
  const last = changes.findLast((change) => change.kind === "status");
  return {
    name,
    versions: [],
    files: [],
    status: last?.kind === "status" ? last.is : "active",
    lastSerial: null,
    upstream,
    stale: false,
    contentSha256: createHash("sha256").update(name).digest("hex"),
    // PEP 700: who lists versions says so by its own version.
    raw: { meta: { "api-version": "1.1" }, name, versions: [] },
    history,
  };
}
