import { newAttemptId } from "../store/attempt-id.ts";
import type { Database, Within } from "../store/database.ts";
import {
  endNotice,
  insertNotice,
  isAnythingDue,
  lastTold,
  projectNames,
  putTold,
  takeDue,
  targetOf,
} from "../store/sql/notice-rows.ts";
import { attemptOf } from "../store/sql/result-row.ts";
import { joinedResults } from "../store/sql/sql-store.ts";
import { changeOf, joinedChanges } from "../store/sql/verdict-changes.ts";
import type { ChangeNotice, CommitNotice, Notice } from "./change-notice.ts";
import type { NoticeTarget } from "./notice-target.ts";

export interface PlanNoticesOptions {
  readonly database: Database;
  readonly targets: readonly Pick<NoticeTarget, "kind" | "project" | "takes">[];
  /** What is cloned of a project, as it is configured; null where nothing is: commits of other repositories are not told. */
  readonly repositoryOf: (project: string) => string | null;
  readonly now?: () => number;
}

const AT_ONCE = 100;
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/u;

/**
 * Makes notices of what is new, each once for each target of its project, and none of what nobody asked to be told: who begins to ask
 * is told from then on.
 * @returns whether there may be more.
 */
export async function planNotices(options: PlanNoticesOptions): Promise<boolean> {
  const { database } = options;
  if (!(await database.read(isAnythingDue))) return false;
  return await database.write(async (within) => {
    const due = await takeDue(within, AT_ONCE);
    const names = await projectNames(
      within,
      due.map(({ project_id: id }) => id),
    );
    for (const { project_id: projectId, attempt, change_id, target_id } of due) {
      const planning = new Planning(within, options, projectId, names.get(projectId) ?? "");
      if (change_id !== null) await planning.takeChange(change_id);
      if (target_id !== null) await planning.takeCommit(target_id, attempt);
    }
    return due.length === AT_ONCE;
  });
}

class Planning {
  readonly #within: Within;
  readonly #options: PlanNoticesOptions;
  readonly #projectId: number;
  readonly #project: string;
  readonly #nowMs: number;

  constructor(within: Within, options: PlanNoticesOptions, projectId: number, project: string) {
    this.#within = within;
    this.#options = options;
    this.#projectId = projectId;
    this.#project = project;
    this.#nowMs = (options.now ?? Date.now)();
  }

  async takeChange(id: number): Promise<void> {
    const targets = this.#targets("change");
    if (targets.length === 0) return;
    const row = await joinedChanges(this.#within)
      .where("verdict_change.id", "=", id)
      .executeTakeFirst();
    if (row === undefined) return;
    const { project, configuration, line, kind: change, now, before, root, atMs } = changeOf(row);
    const notice: ChangeNotice = {
      about: "change",
      project,
      version: now.version,
      line,
      configuration,
      kind: change,
      outcome: now.outcome,
      cause: now.cause,
      root,
      attempt: now.attempt,
      before: { attempt: before.attempt, version: before.version },
      atMs,
    };
    for (const { kind } of targets) await this.#insert(kind, notice);
  }

  async takeCommit(targetId: number, attemptId: string): Promise<void> {
    const targets = this.#targets("commit");
    if (targets.length === 0) return;
    const found = await this.#commit(targetId, attemptId);
    if (found === null) return;
    const { notice, configurationId } = found;
    const said = `${notice.outcome} ${notice.cause ?? ""}`;
    for (const { kind } of targets) {
      const told = {
        project_id: this.#projectId,
        target: kind,
        commit_name: notice.commit,
        configuration_id: configurationId,
      };
      const before = await lastTold(this.#within, told);
      if (before?.said === said) continue;
      // What waits still would come after what is said now, and be taken for the last word.
      if (before !== undefined)
        await endNotice(this.#within, before.noticeId, "superseded", null, this.#nowMs);
      const noticeId = await this.#insert(kind, notice);
      await putTold(this.#within, {
        ...told,
        said,
        notice_id: noticeId,
        told_ms: this.#nowMs,
      });
    }
  }

  async #commit(
    targetId: number,
    attemptId: string,
  ): Promise<{ readonly notice: CommitNotice; readonly configurationId: number } | null> {
    const target = await targetOf(this.#within, targetId);
    const repository = this.#options.repositoryOf(this.#project);
    const isOwn = repository !== null && target?.word === `git+${repository}@${target?.version}`;
    if (target === undefined || !isOwn || !COMMIT.test(target.version)) return null;
    const row = await joinedResults(this.#within)
      .select("result.configuration_id as configurationId")
      .where("result.id", "=", attemptId)
      .executeTakeFirst();
    if (row === undefined) return null;
    const { attempt, startedAt } = attemptOf(row);
    const startedMs = Date.parse(startedAt);
    const { outcome, cause, configuration, tests, seconds } = attempt;
    return {
      configurationId: row.configurationId,
      notice: {
        about: "commit",
        project: this.#project,
        commit: target.version,
        line: target.line,
        configuration,
        outcome,
        cause,
        tests:
          tests === null
            ? null
            : { passed: tests.passed, failed: tests.failed, errors: tests.errors },
        attempt: attemptId,
        startedMs,
        endedMs: startedMs + Math.round((seconds["total"] ?? 0) * 1000),
      },
    };
  }

  #targets(about: Notice["about"]): PlanNoticesOptions["targets"] {
    return this.#options.targets.filter(
      ({ project, takes }) => project === this.#project && takes === about,
    );
  }

  #insert(target: NoticeTarget["kind"], notice: Notice): Promise<number> {
    return insertNotice(this.#within, {
      key: `msg_${newAttemptId(this.#nowMs)}`,
      project_id: this.#projectId,
      target,
      body: JSON.stringify(notice),
      made_ms: this.#nowMs,
    });
  }
}
