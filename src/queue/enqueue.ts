import type { Within } from "../store/database.ts";
import type { SqlKind } from "../store/migrations/migration.ts";
import { JobRows, STATE, type NewJob, type PendingJob } from "../store/sql/job-rows.ts";
import {
  LANES,
  type EnqueueRequest,
  type Enqueued,
  type EnqueuedJob,
  type RequestedConfiguration,
} from "./job.ts";
import type { QueuePolicy } from "./queue-policy.ts";
import { supersedes } from "./supersedes.ts";

interface Known {
  readonly request: EnqueueRequest;
  readonly projectId: number;
  readonly targetId: number;
}

interface Wish {
  readonly key: string;
  readonly configuration: RequestedConfiguration;
  readonly lane: number;
  readonly readyMs: number;
  /** Another's job for the same. */
  readonly twin: PendingJob | undefined;
}

/**
 * Puts requests into the queue, all of them within one transaction. What waits already is not queued twice, what is older
 * is superseded, pushes wait for their cool-down, and each project gets its place by what it has had (start-time fair
 * queueing, Goyal, Vin and Cheng 1996): its tag is set now, so that a claim is one read of an index.
 * @param requests of different projects each; several of one project go one after the other (`roundsOf`).
 */
export async function enqueueWithin(
  within: Within,
  kind: SqlKind,
  requests: readonly EnqueueRequest[],
  policy: QueuePolicy,
  nowMs: number,
): Promise<readonly Enqueued[]> {
  const rows = new JobRows(within, kind);
  const known = await internAll(rows, requests);
  const projectIds = [...new Set(known.map(({ projectId }) => projectId))];
  const configurations = await rows.configurations(
    unique(requests.flatMap((one) => one.configurations.map(({ name }) => name))),
  );
  const pending = Map.groupBy(await rows.pending(projectIds), (job) => job.projectId);
  const tags = new Tags(rows, projectIds);
  const answers: Enqueued[] = [];
  const inserts: NewJob[] = [];
  const wishes: Wish[][] = [];
  for (const { request, projectId, targetId } of known) {
    const waiting = pending.get(projectId) ?? [];
    const older = waiting.filter((job) => supersedes(request, job));
    await rows.close(
      older.map(({ id }) => id),
      STATE.superseded,
      `by ${request.version}`,
    );
    const readyMs = await readyOf(rows, request, projectId, older, policy, nowMs);
    const plan = request.plan === "smoke" ? "smoke" : null;
    const mine: Wish[] = [];
    for (const [index, configuration] of request.configurations.entries()) {
      const configurationId = configurations.get(configuration.name) ?? -1;
      const lane = LANES.indexOf(configuration.lane);
      const key = `${request.id}-${index}`;
      const twin = waiting.find(
        (job) =>
          job.targetId === targetId &&
          job.configurationId === configurationId &&
          job.reason === request.reason,
      );
      mine.push({ key, configuration, lane, readyMs, twin });
      if (twin !== undefined) {
        await raise(rows, twin, { lane, plan }, tags, projectId);
        continue;
      }
      inserts.push({
        key,
        target_id: targetId,
        configuration_id: configurationId,
        reason: request.reason,
        lane,
        state: readyMs > nowMs ? STATE.waiting : STATE.queued,
        tag: await tags.next(lane, projectId),
        enqueued_ms: nowMs,
        ready_ms: readyMs,
        plan,
        why: request.why ?? null,
      });
    }
    wishes.push(mine);
    answers.push({ id: request.id, jobs: [], superseded: older.map(({ key }) => key) });
  }
  const inserted = await rows.insert(inserts);
  await tags.keep();
  return answers.map((answer, index) => ({
    ...answer,
    jobs: (wishes[index] ?? []).map((wish) => outcomeOf(wish, inserted)),
  }));
}

/** Parts of the requests, in order, in each of which a project comes once at most. */
export function roundsOf(
  requests: readonly EnqueueRequest[],
  most: number,
): readonly (readonly EnqueueRequest[])[] {
  const rounds: EnqueueRequest[][] = [];
  let names = new Set<string>();
  for (const request of requests) {
    const last = rounds.at(-1);
    if (last === undefined || last.length >= most || names.has(request.project)) {
      names = new Set();
      rounds.push([request]);
    } else last.push(request);
    names.add(request.project);
  }
  return rounds;
}

async function internAll(
  rows: JobRows,
  requests: readonly EnqueueRequest[],
): Promise<readonly Known[]> {
  const projects = await rows.lockProjects(
    new Map(requests.map(({ project, visibility }) => [project, visibility])),
  );
  const keys = requests.map(({ project, word, version, line }) => ({
    projectId: projects.get(project) ?? -1,
    word,
    version,
    line,
  }));
  const ids = await rows.targets(keys);
  return requests.map((request, index) => ({
    request,
    projectId: keys[index]?.projectId ?? -1,
    targetId: ids[index] ?? -1,
  }));
}

/** Releases and what a person asks for at once; a push when its branch has cooled down, in the place of the one it replaces. */
async function readyOf(
  rows: JobRows,
  { reason, line }: EnqueueRequest,
  projectId: number,
  replaced: readonly PendingJob[],
  { cooldownMs }: QueuePolicy,
  nowMs: number,
): Promise<number> {
  if (reason !== "push") return nowMs;
  const before = replaced[0];
  if (before !== undefined) return before.readyMs;
  const last = await rows.cooldown(projectId, line);
  const readyMs = last === undefined ? nowMs : Math.max(nowMs, last + cooldownMs);
  await rows.putCooldown(projectId, line, readyMs);
  return readyMs;
}

/** What is asked for again more urgently moves up; what is asked for whole is tested whole. */
async function raise(
  rows: JobRows,
  twin: PendingJob,
  { lane, plan }: { readonly lane: number; readonly plan: string | null },
  tags: Tags,
  projectId: number,
): Promise<void> {
  if (plan === null && twin.plan !== null) await rows.move(twin.id, { plan: null });
  if (lane >= twin.lane) return;
  await rows.move(twin.id, { lane, tag: await tags.next(lane, projectId) });
}

function outcomeOf(
  { key, configuration, readyMs, twin }: Wish,
  inserted: ReadonlySet<string>,
): EnqueuedJob {
  const { name } = configuration;
  if (twin !== undefined)
    return {
      key: twin.key,
      configuration: name,
      kind: twin.key === key ? "known" : "coalesced",
      readyMs: twin.readyMs,
    };
  return { key, configuration: name, kind: inserted.has(key) ? "added" : "known", readyMs };
}

/** Start tags: a project's next one begins where its last one ended, and never before what is served now. */
class Tags {
  readonly #rows: JobRows;
  readonly #projectIds: readonly number[];
  readonly #lanes = new Map<number, { readonly now: number; readonly ends: Map<number, number> }>();

  constructor(rows: JobRows, projectIds: readonly number[]) {
    this.#rows = rows;
    this.#projectIds = projectIds;
  }

  async next(lane: number, projectId: number): Promise<number> {
    let known = this.#lanes.get(lane);
    if (known === undefined) {
      const flows = await this.#rows.flows(lane, this.#projectIds);
      known = { now: await this.#rows.virtualTime(lane), ends: new Map(flows) };
      this.#lanes.set(lane, known);
    }
    const start = Math.max(known.now, known.ends.get(projectId) ?? 0);
    known.ends.set(projectId, start + 1);
    return start;
  }

  async keep(): Promise<void> {
    for (const [lane, { ends }] of this.#lanes) await this.#rows.putFlows(lane, ends);
  }
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
