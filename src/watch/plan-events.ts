import { createHash } from "node:crypto";

import { sql } from "kysely";

import type { Visibility } from "../model/principals.ts";
import { admittedRequest, type Admitted, type ReleaseAdmission } from "../queue/admission/admit.ts";
import type { EnqueueRequest, RequestedConfiguration } from "../queue/job.ts";
import type { Queue } from "../queue/queue.ts";
import { noteReleased } from "../queue/retests/note-released.ts";
import type { Within } from "../store/database.ts";
import { JobRows, STATE } from "../store/sql/job-rows.ts";
import type { WatchEvent } from "./event.ts";

/** What is known of a project besides what an event says. */
export interface PlannedProject {
  readonly visibility: Visibility;
  /** What is cloned, for pushes; null where none is configured. */
  readonly repository: string | null;
}

export interface PlanEventsOptions {
  readonly queue: Pick<Queue, "enqueueWithin">;
  readonly kind: "sqlite" | "postgresql";
  /** On which configurations a release or push is tested, and in which lanes. */
  readonly configurations: () => readonly RequestedConfiguration[];
  readonly projectOf: (project: string) => PlannedProject;
  /** What becomes of releases when there is more than the hosts can do. */
  readonly admission: ReleaseAdmission;
  readonly now?: () => number;
}

type Released = Extract<WatchEvent, { kind: "released" }>;
type Pushed = Extract<WatchEvent, { kind: "pushed" }>;

/**
 * Makes jobs of what watchers saw, within the transaction that keeps what they saw: a release of a watched project and a push
 * are queued, what is withdrawn (yanked, removed, quarantined) is queued no more and says why.
 */
export function planEvents(
  options: PlanEventsOptions,
): (within: Within, events: readonly WatchEvent[]) => Promise<void> {
  return async (within, events) => {
    const planning = new Planning(within, options);
    for (const event of events) await planning.take(event);
    await planning.enqueue();
  };
}

/** What was uploaded longer ago when it was first seen is no news. */
const NEWS_MS = 24 * 3_600_000;

class Planning {
  readonly #within: Within;
  readonly #options: PlanEventsOptions;
  readonly #nowMs: number;
  readonly #requests: EnqueueRequest[] = [];
  readonly #released: (Released & { readonly isNamed: boolean })[] = [];

  constructor(within: Within, options: PlanEventsOptions) {
    this.#within = within;
    this.#options = options;
    this.#nowMs = (options.now ?? Date.now)();
  }

  async take(event: WatchEvent): Promise<void> {
    switch (event.kind) {
      case "released":
        await this.#restore(event.project, ["", event.version], ["removed"]);
        await this.#release(event);
        return;
      case "files-added":
        // The release is tested by what was there first; its other files come with the next retest.
        return;
      case "yanked":
        await this.#withdraw(event.project, event.version, "yanked", event.reason);
        return;
      case "unyanked":
        await this.#restore(event.project, [event.version], ["yanked"]);
        return;
      case "release-removed":
        await this.#withdraw(event.project, event.version, "removed", null);
        return;
      case "project-removed":
        await this.#withdraw(event.project, "", "removed", null);
        return;
      case "quarantined":
        await this.#withdraw(event.project, "", "quarantined", null);
        return;
      case "unquarantined":
        await this.#restore(event.project, [""], ["quarantined"]);
        return;
      case "pushed":
        this.#push(event);
        return;
    }
  }

  async enqueue(): Promise<void> {
    const { admission, queue, configurations } = this.#options;
    const tested = configurations();
    const admitted = await admission.admit(this.#within, this.#released, tested);
    const releases = admitted.flatMap(
      (one) => admittedRequest(one, this.#requestOf(one, tested)) ?? [],
    );
    // A project that is quarantined may show a release all the same.
    const wanted: EnqueueRequest[] = [...this.#requests];
    for (const request of releases) if (!(await this.#isWithdrawn(request))) wanted.push(request);
    await queue.enqueueWithin(this.#within, wanted);
    const uploads = new Map(
      this.#released.map(({ project, version, uploadedAt }) => [
        `${project}==${version}`,
        uploadedAt === null ? null : Date.parse(uploadedAt),
      ]),
    );
    for (const one of admitted)
      await noteReleased(this.#within, {
        ...one,
        uploadedMs: uploads.get(`${one.project}==${one.version}`) ?? null,
        nowMs: this.#nowMs,
      });
    for (const { project, version, uploadedAt } of this.#released) {
      const toldMs = uploadedAt === null ? Number.NaN : Date.parse(uploadedAt);
      // What was there long before anybody watched says nothing of how quick the farm is.
      const uploadedMs = this.#nowMs - toldMs < NEWS_MS ? toldMs : null;
      await sql`insert into release_time (target_id, uploaded_ms, seen_ms, verdict_ms)
        select target.id, ${uploadedMs}, ${this.#nowMs}, null from target
          join project on project.id = target.project_id
        where project.name = ${project} and target.word = ${`${project}==${version}`} and target.line = ''
        on conflict (target_id) do nothing`.execute(this.#within);
    }
  }

  async #release(event: Released): Promise<void> {
    const names = await this.#watchedNames(event.project);
    if (names.length > 0) this.#released.push({ ...event, isNamed: names.includes(event.project) });
  }

  #requestOf(
    { project, version }: Admitted,
    configurations: readonly RequestedConfiguration[],
  ): EnqueueRequest {
    return {
      id: idOf("release", project, version),
      project,
      visibility: this.#options.projectOf(project).visibility,
      word: `${project}==${version}`,
      version,
      line: "",
      reason: "release",
      configurations,
    };
  }

  #push({ repository: project, ref, commit }: Pushed): void {
    const { repository, visibility } = this.#options.projectOf(project);
    // What is no more configured is tested no more.
    if (repository === null) return;
    this.#requests.push({
      id: idOf("push", project, ref, commit),
      project,
      visibility,
      word: `git+${repository}@${commit}`,
      version: commit,
      line: ref,
      reason: "push",
      configurations: this.#options.configurations(),
    });
  }

  /** By which of its names, or `*`, it is watched. */
  async #watchedNames(project: string): Promise<readonly string[]> {
    const rows = await this.#within
      .selectFrom("watched")
      .select("name")
      .where("name", "in", [project, "*"])
      .execute();
    return rows.map(({ name }) => name);
  }

  async #isWithdrawn({ project, version }: EnqueueRequest): Promise<boolean> {
    const row = await this.#within
      .selectFrom("withdrawn")
      .select("state")
      .where("project", "=", project)
      .where("version", "in", ["", version])
      .executeTakeFirst();
    return row !== undefined;
  }

  async #restore(
    project: string,
    versions: readonly string[],
    states: readonly string[],
  ): Promise<void> {
    await this.#within
      .deleteFrom("withdrawn")
      .where("project", "=", project)
      .where("version", "in", versions)
      .where("state", "in", states)
      .execute();
  }

  async #withdraw(
    project: string,
    version: string,
    state: "yanked" | "removed" | "quarantined",
    reason: string | null,
  ): Promise<void> {
    await this.#within
      .insertInto("withdrawn")
      .values({ project, version, state, reason, since_ms: this.#nowMs })
      .onConflict((on) => on.columns(["project", "version", "state"]).doUpdateSet({ reason }))
      .execute();
    const known = await this.#within
      .selectFrom("project")
      .select("id")
      .where("name", "=", project)
      .executeTakeFirst();
    if (known === undefined) return;
    const rows = new JobRows(this.#within, this.#options.kind);
    const pending = await rows.pending([known.id]);
    const ended = pending.filter(
      (job) =>
        job.reason !== "push" && job.line === "" && (version === "" || job.version === version),
    );
    await rows.close(
      ended.map(({ id }) => id),
      STATE.cancelled,
      reason === null ? state : `${state}: ${reason}`,
    );
  }
}

/** The same event makes the same request, whenever and by whichever watcher it is seen. */
function idOf(...parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\0")).digest("hex").slice(0, 24);
}
