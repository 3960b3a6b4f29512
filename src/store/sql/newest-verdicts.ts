import type { Within } from "../../model/authorise.ts";
import type { Database } from "../database.ts";
import type { StoredAttempt } from "../store.ts";
import { attemptOf } from "./result-row.ts";
import { MOST_LOOKED_THROUGH, windowEnd } from "./result-queries.ts";
import { joinedResults } from "./sql-store.ts";
import { isVisible } from "./visible-projects.ts";

/** What is no verdict of its own: a second run, and one with something changed on purpose. */
export const NO_VERDICTS = ["confirm", "experiment"] as const;

/** The newest verdicts of all projects that somebody gets to see, newest first, among the newest attempts of all. */
export async function newestVerdicts(
  database: Database,
  { within, limit }: { readonly within: Within; readonly limit: number },
): Promise<readonly StoredAttempt[]> {
  return database.read(async (db) => {
    const end = await windowEnd(db, undefined, MOST_LOOKED_THROUGH);
    let select = joinedResults(db)
      .where(isVisible(within))
      .where("result.reason", "not in", NO_VERDICTS)
      .orderBy("result.id", "desc")
      .limit(limit);
    if (end !== null) select = select.where("result.id", ">=", end);
    return (await select.execute()).map(attemptOf);
  });
}
