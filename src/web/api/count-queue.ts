import type { Within } from "../../model/authorise.ts";
import { busiestProjects, laneCounts } from "../../queue/job-counts.ts";
import type { Database } from "../../store/database.ts";
import { countSince } from "../../store/sql/result-queries.ts";
import type { QueueState } from "./schemas/queue.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MOST_BUSY = 20;

/** How much is queued, of what somebody gets to see: all that is open is read for it. */
export async function countQueue(
  database: Database,
  within: Within,
  nowMs: number,
): Promise<QueueState> {
  const counts = await database.read((db) => laneCounts(db, within));
  const busiest = await database.read((db) => busiestProjects(db, within, MOST_BUSY));
  return {
    lanes: counts.map(({ oldestMs, ...rest }) => ({
      ...rest,
      oldestAt: new Date(oldestMs).toISOString(),
    })),
    busiest: busiest.map(({ project, count }) => ({ project, jobs: count })),
    attempts: {
      lastHour: await countSince(database, nowMs - HOUR_MS, within),
      lastDay: await countSince(database, nowMs - DAY_MS, within),
    },
  };
}
