import type { Within } from "../../model/authorise.ts";
import { parseConfidence } from "../../model/result-words.ts";
import type { Database } from "../database.ts";
import { NO_VERDICTS } from "./newest-verdicts.ts";
import { windowEnd } from "./result-queries.ts";
import { attemptOf, FARM_CAUSES } from "./result-row.ts";
import { joinedResults } from "./sql-store.ts";
import { isVisible } from "./visible-projects.ts";

/** How often the farm itself is wrong, or can't be sure, as far as it knows. */
export interface ErrorFigures {
  /** Attempts that were looked at: those that somebody gets to see of the newest. */
  readonly attempts: number;
  /** Of these the farm failed in, and what is the farm's to explain. */
  readonly farmFaults: number;
  readonly machineDifferences: number;
  /** Failures, crashes and hangs that were looked at, by how sure they are. */
  readonly failures: {
    readonly all: number;
    readonly confirmed: number;
    readonly flaky: number;
    readonly unconfirmed: number;
    readonly inferred: number;
  };
}

/** So many of the newest attempts of all are looked at, */
const NEWEST = 10_000;
/** and of so many failures the whole result. */
const MOST_FAILURES = 500;
const FAILED = ["fail", "crash", "killed"] as const;
const FARMS_OWN = [...FARM_CAUSES, "machine-difference"];

export async function errorFigures(
  database: Database,
  within: Within,
  { newest = NEWEST, mostFailures = MOST_FAILURES } = {},
): Promise<ErrorFigures> {
  return database.read(async (db) => {
    const end = (await windowEnd(db, undefined, newest)) ?? "";
    const counts = await db
      .selectFrom("result")
      .innerJoin("project", "project.id", "result.project_id")
      .select(({ fn }) => ["result.cause_kind as cause", fn.countAll<number>().as("count")])
      .where("result.id", ">=", end)
      .where("result.reason", "not in", NO_VERDICTS)
      .where(isVisible(within))
      .groupBy("result.cause_kind")
      .execute();
    const failed = await joinedResults(db)
      .where("result.id", ">=", end)
      .where("result.reason", "not in", NO_VERDICTS)
      .where("result.outcome", "in", FAILED)
      .where((build) =>
        build.or([
          build("result.cause_kind", "is", null),
          build("result.cause_kind", "not in", FARMS_OWN),
        ]),
      )
      .where(isVisible(within))
      .orderBy("result.id", "desc")
      .limit(mostFailures)
      .execute();
    const kinds = failed.map((row) => parseConfidence(attemptOf(row).attempt.confidence)?.kind);
    const sum = (fits: (cause: string | null) => boolean) =>
      counts.reduce((all, { cause, count }) => all + (fits(cause) ? count : 0), 0);
    const of = (kind: string) => kinds.filter((one) => one === kind).length;
    return {
      attempts: sum(() => true),
      farmFaults: sum((cause) => cause !== null && FARM_CAUSES.has(cause)),
      machineDifferences: sum((cause) => cause === "machine-difference"),
      failures: {
        all: kinds.length,
        confirmed: of("confirmed"),
        flaky: of("flaky"),
        unconfirmed: of("unconfirmed"),
        inferred: of("inferred"),
      },
    };
  });
}
