import type { Generated } from "kysely";

/** The tables, as the migrations left them. Those of the first schema that nothing reads any more are left out. */
export interface Tables {
  project: { id: Generated<number>; name: string; visibility: string };
  release: { id: Generated<number>; project_id: number; version: string };
  configuration: { id: Generated<number>; name: string };
  image: { id: Generated<number>; name: string };
  result: {
    /** The attempt's. */
    id: string;
    release_id: number;
    project_id: number;
    configuration_id: number;
    image_id: number;
    reason: string;
    of_attempt: string | null;
    started_ms: number;
    outcome: string;
    cause_kind: string | null;
    /** All the rest, packed (sql/packed-detail.ts). */
    detail: Uint8Array;
  };
  /** Canonical test ids, interned for each project. */
  test: { id: Generated<number>; project_id: number; name: string };
  /** Tests that did not pass. */
  result_failure: { result_id: string; test_id: number; outcome: string; message: string };
  worker: {
    id: Generated<number>;
    name: string;
    /** Of the process that holds its leases. */
    boot: string;
    state: string;
    /** Why it is out of service. */
    reason: string | null;
    slots: number;
    seen_ms: number;
    /** JSON. */
    facts: string;
  };
  target: {
    id: Generated<number>;
    project_id: number;
    /** As a person types it. */
    word: string;
    /** Of a release; the commit of a push. */
    version: string;
    /** The branch or tag that was pushed to; empty for a release. */
    line: string;
  };
  queue_job: {
    id: Generated<number>;
    /** Made by whoever enqueued it. */
    key: string;
    target_id: number;
    configuration_id: number;
    reason: string;
    lane: number;
    state: number;
    tag: number;
    enqueued_ms: number;
    ready_ms: number;
    tries: number;
    farm_faults: number;
    /** Of its present lease, or the one that finished it. */
    attempt: string | null;
    lease_ms: number | null;
    worker_id: number | null;
    /** Why it is dead, cancelled or superseded. */
    note: string | null;
    /** `smoke`: installed and imported, no tests looked for; null for all of it. */
    plan: Generated<string | null>;
    /** Why it is tested again, for people. */
    why: Generated<string | null>;
  };
  queue_flow: { lane: number; project_id: number; finish: number };
  queue_cooldown: { project_id: number; line: string; ready_ms: number };
  farm_setting: { name: string; value: string };
  watcher: { name: string; revision: number };
  watcher_part: { watcher: string; key: string; text: string };
  /** What watchers saw, for a while. */
  watch_event: { id: Generated<number>; watcher: string; seen_ms: number; event: string };
  /** Projects that are watched by name; `*` for all. */
  watched: { name: string; since_ms: number };
  /** Releases that are yanked or removed, and with an empty version projects that are removed or quarantined. */
  withdrawn: {
    project: string;
    version: string;
    state: string;
    reason: string | null;
    since_ms: number;
  };
  /** From a release's upload to its first verdict. */
  release_time: {
    target_id: number;
    uploaded_ms: number | null;
    seen_ms: number;
    verdict_ms: number | null;
  };
  /** Whom a project's newest release that was tested depends on. */
  dependency: {
    project_id: number;
    /** Normalised; not always a project that the farm knows. */
    depends_on: string;
    /** `run`, `build` or `extra`. */
    kind: string;
  };
  /** Which release's word that is. */
  dependency_source: { project_id: number; version: string; seen_ms: number };
  /** How many known projects depend on a name to run or to be built; only those that somebody depends on. */
  dependent_count: { name: string; direct: number };
  /** Of each project that was queued or tested. */
  newest_release: { project_id: number; version: string; seen_ms: number };
  /** The last that was tested of a project on a configuration; with an empty version nothing was, and it was planned all the same. */
  tested: {
    project_id: number;
    configuration_id: number;
    version: string;
    tested_ms: number;
    image_id: number | null;
    /** `cpython-3.13.5`; empty where it was never tested. */
    interpreter: string;
    /** When it was last planned to be tested again. */
    planned_ms: number;
  };
  /** A release after which those who depend on it are tested again. */
  retest_wave: {
    project: string;
    version: string;
    noted_ms: number;
    planned: number;
    ended_ms: number | null;
    note: string | null;
  };
  /** What was done with each release that was seen of a watched project. */
  seen_release: {
    project: string;
    version: string;
    seen_ms: number;
    class: string;
    decision: string;
    reason: string;
    /** 1 where the project was never seen before. */
    new_name: number;
    /** Of what is delayed: then it is not tested any more. */
    expires_ms: number | null;
  };
  /** How a project stands on a configuration, as far as that has settled (../model/settle-verdict.ts). */
  verdict: {
    project_id: number;
    configuration_id: number;
    /** Empty for releases; of a repository the branch or tag. */
    line: string;
    /** The one that settled it last; null where none has. */
    attempt: string | null;
    /** One that failed, and settles nothing before another says the same. */
    pending: string | null;
  };
  /** Changes of that. Who sees an id sees all that are smaller. */
  verdict_change: {
    id: Generated<number>;
    project_id: number;
    configuration_id: number;
    line: string;
    /** `broke`, `fixed` or `changed`. */
    kind: string;
    version: string;
    attempt: string;
    outcome: string;
    /** As it is written for people; null on a pass. */
    cause: string | null;
    before_version: string;
    before_attempt: string;
    before_outcome: string;
    before_cause: string | null;
    /** What people group it by: `cffi`, `numpy 2.4`, the project itself. */
    root: string;
    /** When the attempt ended. */
    at_ms: number;
  };
  /** What notices are to be planned of: a change of verdict, or what came of a pushed commit. */
  notice_due: {
    id: Generated<number>;
    project_id: number;
    attempt: string;
    change_id: number | null;
    /** Of the commit. */
    target_id: number | null;
  };
  /** What is to be told to somebody, until it is delivered, and for a while after. */
  notice: {
    id: Generated<number>;
    /** What its receiver knows it by. */
    key: string;
    project_id: number;
    /** `webhook`, `github`, `gitlab`: of the project's own. */
    target: string;
    /** JSON (../notify/change-notice.ts). */
    body: string;
    state: number;
    tries: number;
    made_ms: number;
    /** When it is tried next: while it is being tried, when another may. */
    next_ms: number;
    ended_ms: number | null;
    /** Why it was not taken, the last time. */
    answer: string | null;
  };
  /** What was said last of a commit on a configuration. */
  commit_told: {
    project_id: number;
    target: string;
    commit_name: string;
    configuration_id: number;
    said: string;
    notice_id: number;
    told_ms: number;
  };
  delivery: {
    id: Generated<number>;
    scope: string;
    delivery: string | null;
    body_sha256: string;
    kept_ms: number;
  };
  principal: {
    id: string;
    sha256: string;
    kind: string;
    name: string;
    scopes: string;
    projects: string | null;
    created_ms: number;
    created_by: string | null;
    expires_ms: number | null;
    revoked_ms: number | null;
    used_ms: number | null;
  };
  session: {
    sha256: string;
    principal_id: string;
    how: string;
    /** JSON of what the provider of OpenID Connect says of them. */
    who: string | null;
    created_ms: number;
    expires_ms: number;
    used_ms: number;
  };
  audit: {
    id: string;
    at_ms: number;
    by_kind: string;
    by_id: string | null;
    by_name: string;
    action: string;
    subject: string;
    outcome: string;
    detail: string;
    address: string;
  };
}
