import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Hono } from "hono";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { MemoryAudit } from "../../model/memory-audit.ts";
import { MemoryPrincipals } from "../../model/memory-principals.ts";
import { MemorySessions } from "../../model/memory-sessions.ts";
import type { NewPrincipal, Scope, Visibility } from "../../model/principals.ts";
import type { AttemptJson } from "../../model/result-json.ts";
import { sampleAttempt } from "../../model/result-json.sample.ts";
import { newToken } from "../../model/token.ts";
import { HostFacts, Hosts } from "../../queue/hosts.ts";
import type { EnqueueRequest } from "../../queue/job.ts";
import { Queue } from "../../queue/queue.ts";
import { newAttemptId } from "../../store/attempt-id.ts";
import type { Database } from "../../store/database.ts";
import { openDatabase } from "../../store/open-database.ts";
import { SqlStore } from "../../store/sql/sql-store.ts";
import type { AttemptRecording } from "../../store/store.ts";
import { authenticate, type Authenticated } from "../authenticate.ts";
import type { Peer } from "../client-address.ts";
import { FailedTries } from "../failed-tries.ts";
import { SessionBook, type SessionBookDeps } from "../login/session-book.ts";
import { LiveEvents, type LiveBounds } from "../live-events.ts";
import type { ApiDeps } from "./api-deps.ts";
import { farmApi } from "./farm-api.ts";
import type { FarmStatus } from "./schemas/status.ts";

/** A farm's API over a real store, for tests. */
export interface SampleFarm extends AsyncDisposable {
  readonly app: Hono<Authenticated>;
  readonly deps: ApiDeps;
  readonly database: Database;
  readonly store: SqlStore;
  readonly bucket: MemoryBucket;
  readonly principals: MemoryPrincipals;
  readonly sessions: MemorySessions;
  /** Of `sessions`, which the API takes for what changes nothing. */
  readonly book: SessionBook;
  readonly audit: MemoryAudit;
  readonly directory: string;
  readonly api: ReturnType<typeof farmApi>;
  /** What the farm itself failed in. */
  readonly failures: unknown[];
  nowMs: number;
  /** Who all requests come from. */
  peer: Peer;
  /** @returns a header's value. */
  token(scopes: readonly Scope[], change?: Partial<NewPrincipal>): Promise<string>;
  ask(path: string, init?: RequestInit & { readonly as?: string }): Promise<Response>;
  record(change: Partial<AttemptJson>, told?: Partial<AttemptRecording>): Promise<string>;
  enqueue(project: string, change?: Partial<EnqueueRequest>): Promise<string>;
}

export const SAMPLE_START_MS = Date.UTC(2026, 10, 24, 10);

export async function sampleFarm(
  change: {
    readonly database?: Database;
    readonly live?: Partial<LiveBounds>;
    readonly scopesOf?: SessionBookDeps["scopesOf"];
  } = {},
): Promise<SampleFarm> {
  const directory = mkdtempSync(join(tmpdir(), "creamery-api-"));
  const database = change.database ?? (await openDatabase(join(directory, "store.sqlite")));
  const now = (): number => farm.nowMs;
  let serial = 0;
  const newId = (): string =>
    newAttemptId(now() + ++serial, Buffer.from(String(serial).padStart(7, "0")));
  const queue = new Queue(database, { now, newId, random: () => 1 });
  const bucket = new MemoryBucket();
  const principals = new MemoryPrincipals();
  const sessions = new MemorySessions();
  const { scopesOf } = change;
  const book = new SessionBook({
    sessions,
    principals,
    nowMs: now,
    ...(scopesOf === undefined ? {} : { scopesOf }),
  });
  const audit = new MemoryAudit();
  const failures: unknown[] = [];
  const store = new SqlStore(database);
  const deps: ApiDeps = {
    database,
    queue,
    hosts: new Hosts(database, now),
    bucket,
    principals,
    audit,
    live: new LiveEvents(change.live, now),
    status: { status: async () => sampleStatus(now()) },
    imagesDir: join(directory, "images"),
    configurations: async () => ({
      known: ["cpython-3.13", "cpython-3.15", "pypy-3.11"],
      priority: ["cpython-3.13"],
    }),
    visibilityOf: ({ url }): Visibility =>
      url !== null && url.startsWith("https://private.example/") ? "private" : "public",
    projectOf: (url) => (url === "https://git.example/octo/hello" ? "hello" : null),
    exportFile: join(directory, "results.sqlite"),
    nowMs: now,
    newId,
    failed: (thrown) => void failures.push(thrown),
    version: "0.1.0",
  };
  const app = new Hono<Authenticated>();
  app.use(
    "/api/v1/*",
    authenticate({
      principals,
      peer: () => farm.peer,
      nowMs: now,
      sessions: { book, methods: "safe" },
      failedTries: new FailedTries({ tries: Infinity, windowMs: 1, addresses: 1 }),
    }),
  );
  const api = farmApi(deps);
  app.route("/api/v1", api);
  app.notFound((context) => context.text("elsewhere", 404));
  const farm: SampleFarm = {
    app,
    deps,
    database,
    store,
    bucket,
    principals,
    sessions,
    book,
    audit,
    directory,
    api,
    failures,
    nowMs: SAMPLE_START_MS,
    peer: { address: "127.0.0.1", encrypted: false },
    token: async (scopes, more = {}) => {
      const kind = scopes.includes("worker") ? "worker" : "person";
      const { text, id, sha256 } = newToken(kind);
      await principals.create(
        {
          kind,
          name: `who has ${scopes.join(" ")}`,
          scopes,
          projects: null,
          createdAtMs: 0,
          createdBy: null,
          expiresAtMs: null,
          ...more,
        },
        { id, sha256 },
      );
      return `Bearer ${text}`;
    },
    ask: async (path, { as, ...init } = {}) => {
      const headers = new Headers(init.headers);
      if (as !== undefined) headers.set("authorization", as);
      return await app.request(`/api/v1${path}`, { ...init, headers });
    },
    record: async (attempt, told = {}) => {
      const id = newId();
      await store.recordAttempt({
        attempt: sampleAttempt({ id, ...attempt }),
        visibility: "public",
        reason: "release",
        startedAt: new Date(now()).toISOString(),
        results: [],
        ...told,
      });
      return attempt.id ?? id;
    },
    enqueue: async (project, request = {}) => {
      const [enqueued] = await queue.enqueue([
        {
          id: newId(),
          project,
          visibility: "public",
          word: `${project}==1.0`,
          version: "1.0",
          line: "",
          reason: "release",
          configurations: [{ name: "cpython-3.13", lane: "priority" }],
          ...request,
        },
      ]);
      return enqueued?.jobs[0]?.key ?? "";
    },
    [Symbol.asyncDispose]: async () => {
      await database[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return farm;
}

/** A JSON body. */
export function posted(body: unknown, headers: Readonly<Record<string, string>> = {}) {
  return {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  };
}

export async function arrive({ deps }: SampleFarm, name: string): Promise<number> {
  const facts = HostFacts.parse({ version: "0.1.0", cores: 4 });
  return (await deps.hosts.arrive({ name, boot: "b1", slots: 2, facts })).host.id;
}

export function sampleStatus(nowMs: number): FarmStatus {
  const at = new Date(nowMs).toISOString();
  return {
    version: "0.1.0",
    at,
    startedAt: at,
    watchers: [
      {
        name: "changelog",
        source: "https://index.example/",
        state: "failing",
        lagSeconds: 300,
        lastRoundAt: at,
        failures: 3,
        lastFailure: "index.example does not answer",
      },
    ],
    queue: [{ lane: "priority", queued: 3, waiting: 1, leased: 2, dead: 0, oldestAt: at }],
    hosts: [
      {
        name: "one",
        state: "active",
        reason: null,
        seenAt: at,
        isLost: false,
        slots: 2,
        running: 1,
      },
    ],
    disks: [{ what: "data", path: "/data", freeBytes: 5e9, totalBytes: 1e11 }],
    latency: { p50: 95, p90: 400, count: 120 },
    alarms: [
      {
        kind: "watcher-failing",
        since: at,
        text: "the changelog can't be followed",
        nextStep: "check this host's network with `./creamery doctor`",
      },
    ],
  };
}
