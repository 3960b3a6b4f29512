import { randomUUID } from "node:crypto";

import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { JOB_STATES, LANES } from "../queue/job.ts";
import type { ApiClient } from "../web/api-client.ts";
import type { EnqueuedJobs, Job, QueueState } from "../web/api/schemas/queue.ts";
import { FARM_OPTIONS, openRunningFarm } from "./farm/running-farm.ts";
import { agoText, renderTable } from "./table.ts";

export type QueueAction = "list" | "add" | "cancel" | "retry" | "dead";

const word = <Words extends readonly [string, ...string[]]>(what: string, words: Words) =>
  z.enum(words, { error: `${what} is one of ${words.join(", ")}` }).optional();

const Options = z.object({
  ...FARM_OPTIONS,
  json: z.boolean().default(false),
  project: z.string().optional(),
  state: word("--state", JOB_STATES),
  lane: word("--lane", LANES),
  limit: z.coerce
    .number("--limit is a number")
    .int()
    .min(1, "--limit is 1 at least")
    .max(10_000, "--limit is 10000 at most")
    .default(50),
  on: z.string().default("priority"),
});
type Options = z.infer<typeof Options>;

/**
 * `creamery queue list|add|cancel|retry|dead`: the queue of a farm that runs.
 * @returns the exit code. @throws CreameryError `no-farm`, `usage`, and whatever the farm tells.
 */
export async function queueCommand(
  action: QueueAction,
  words: readonly string[],
  given: unknown,
  signal: AbortSignal,
): Promise<number> {
  const options = optionsOf(given);
  using farm = await openRunningFarm(options, signal);
  process.stdout.write(await answerOf(farm, action, words, options, Date.now()));
  return 0;
}

/** What a command says, as text or as JSON. */
export async function answerOf(
  farm: ApiClient,
  action: QueueAction,
  words: readonly string[],
  options: Options,
  nowMs: number,
): Promise<string> {
  switch (action) {
    case "list":
    case "dead": {
      const { project, lane, limit } = options;
      const state = action === "dead" ? "dead" : options.state;
      const jobs = await farm.jobs(
        {
          ...(project === undefined ? {} : { project }),
          ...(state === undefined ? {} : { state }),
          ...(lane === undefined ? {} : { lane }),
        },
        limit,
      );
      const queue = await farm.queue();
      return options.json ? jsonLine({ queue, jobs }) : listText(queue, jobs, nowMs);
    }
    case "add": {
      const { lane = "manual", on } = options;
      const configurations = on === "all" || on === "priority" ? on : namesIn(on);
      const done = await farm.enqueue({ targets: [...words], configurations, lane }, randomUUID());
      return options.json ? jsonLine(done) : addedText(done);
    }
    case "cancel":
    case "retry": {
      const jobs: Job[] = [];
      for (const key of words)
        jobs.push(await (action === "cancel" ? farm.cancel(key) : farm.retry(key)));
      const said = action === "cancel" ? "cancelled" : "queued again";
      return options.json
        ? jsonLine({ jobs })
        : jobs.map((job) => `${job.key} ${said}: ${job.word} ${job.configuration}\n`).join("");
    }
  }
}

/** @throws CreameryError `usage`. */
export function optionsOf(given: unknown): Options {
  const parsed = Options.safeParse(given ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CreameryError("usage", issue?.message ?? "is no option of it", {
    nextStep: "see ./creamery queue --help",
  });
}

function namesIn(list: string): string[] {
  return list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

function jsonLine(value: object): string {
  return `${JSON.stringify({ schema: 1, ...value })}\n`;
}

function listText(queue: QueueState, jobs: readonly Job[], nowMs: number): string {
  const { lanes, attempts } = queue;
  const counts =
    lanes.length === 0
      ? "Nothing is queued.\n"
      : renderTable(
          ["lane", "state", "jobs", "oldest"],
          lanes.map(({ lane, state, count, oldestAt }) => [
            lane,
            state,
            String(count),
            agoText(oldestAt, nowMs),
          ]),
        );
  const rate = `Attempts that were begun and ended: ${attempts.lastHour} in the last hour, ${attempts.lastDay} in the last day.\n`;
  if (jobs.length === 0) return `${counts}\n${rate}\nNo such jobs.\n`;
  const table = renderTable(
    ["job", "what", "configuration", "lane", "state", "queued", "tries", "host or note"],
    jobs.map((job) => [
      job.key,
      job.word,
      job.configuration,
      job.lane,
      job.state,
      agoText(job.enqueuedAt, nowMs),
      String(job.tries),
      (job.state === "leased" ? job.host : job.note) ?? "",
    ]),
  );
  return `${counts}\n${rate}\n${table}`;
}

function addedText({ jobs }: EnqueuedJobs): string {
  const words = {
    added: "queued",
    known: "was queued before",
    coalesced: "waits already",
  } as const;
  return renderTable(
    ["job", "project", "configuration", ""],
    jobs.map(({ key, project, configuration, kind }) => [key, project, configuration, words[kind]]),
  );
}
