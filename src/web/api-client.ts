import { z } from "zod";

import { CreameryError } from "../base/errors.ts";
import { FarmClient, type FarmMethod } from "../worker/farm-client.ts";
import { isLoopback, type FarmAddress } from "../worker/farm-address.ts";
import {
  CreatedPrincipal,
  PrincipalJson,
  PrincipalList,
  type CreatePrincipalBody,
} from "./api/schemas/principals.ts";
import {
  EnqueuedJobs,
  Host,
  HostList,
  Job,
  Jobs,
  QueueState,
  type EnqueueBody,
} from "./api/schemas/queue.ts";
import { FarmStatus } from "./api/schemas/status.ts";
import { WatchedList } from "./api/schemas/watched.ts";

/** The same farm is asked again once, where it has just been started. */
const RETRIES = { retries: 1, firstPauseMs: 200, longestPauseMs: 1000 };
const IDLE_MS = 20_000;

export interface JobFilter {
  readonly project?: string;
  readonly configuration?: string;
  readonly state?: z.infer<typeof Job>["state"];
  readonly lane?: z.infer<typeof Job>["lane"];
}

interface Asked {
  readonly method?: FarmMethod;
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly idempotent?: boolean;
}

/**
 * A farm's API (./api), as the command line uses it. What it answers is held against the very schemas that it is described by.
 * All of it throws CreameryError: as the farm tells it, `farm-refused`, `no-farm` where none answers, `upstream`, `interrupted`.
 */
export class ApiClient implements Disposable {
  readonly #client: FarmClient;
  readonly #signal: AbortSignal;

  constructor(address: FarmAddress, signal: AbortSignal) {
    this.#client = new FarmClient(address, RETRIES);
    this.#signal = signal;
  }

  /** @param most so many at most, newest first, however many pages they are. */
  async jobs(filter: JobFilter, most: number): Promise<readonly z.infer<typeof Job>[]> {
    const jobs: z.infer<typeof Job>[] = [];
    for (let cursor: string | null = ""; cursor !== null && jobs.length < most;) {
      const query = new URLSearchParams({ limit: String(Math.min(200, most - jobs.length)) });
      for (const [name, value] of Object.entries(filter)) query.set(name, String(value));
      if (cursor !== "") query.set("cursor", cursor);
      const page: z.infer<typeof Jobs> = await this.#ask(
        { path: `jobs?${query.toString()}` },
        Jobs,
      );
      jobs.push(...page.jobs);
      cursor = page.next;
    }
    return jobs;
  }

  /** @param key the same for the same wish: what is asked twice is queued once. */
  enqueue(body: EnqueueBody, key: string): Promise<EnqueuedJobs> {
    const headers = { "idempotency-key": key };
    return this.#post("jobs", EnqueuedJobs, { body, headers, idempotent: true });
  }

  cancel(key: string): Promise<z.infer<typeof Job>> {
    return this.#post(`jobs/${encodeURIComponent(key)}/cancel`, Job);
  }

  retry(key: string): Promise<z.infer<typeof Job>> {
    return this.#post(`jobs/${encodeURIComponent(key)}/retry`, Job);
  }

  queue(): Promise<QueueState> {
    return this.#ask({ path: "queue" }, QueueState);
  }

  status(): Promise<FarmStatus> {
    return this.#ask({ path: "status" }, FarmStatus);
  }

  async hosts(): Promise<readonly Host[]> {
    return (await this.#ask({ path: "hosts" }, HostList)).hosts;
  }

  drain(host: string, reason: string | undefined): Promise<Host> {
    const body = reason === undefined ? {} : { reason };
    return this.#post(`hosts/${encodeURIComponent(host)}/drain`, Host, { body, idempotent: true });
  }

  resume(host: string): Promise<Host> {
    return this.#post(`hosts/${encodeURIComponent(host)}/resume`, Host, { idempotent: true });
  }

  watched(): Promise<WatchedList> {
    return this.#ask({ path: "watched" }, WatchedList);
  }

  watch(names: readonly string[]): Promise<WatchedList> {
    return this.#post("watched", WatchedList, { body: { names }, idempotent: true });
  }

  unwatch(name: string): Promise<WatchedList> {
    const path = `watched/${encodeURIComponent(name)}`;
    return this.#ask({ method: "DELETE", path, idempotent: false }, WatchedList);
  }

  async principals(): Promise<readonly PrincipalJson[]> {
    const principals: PrincipalJson[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const query = new URLSearchParams({ limit: "200" });
      if (cursor !== "") query.set("cursor", cursor);
      const page: z.infer<typeof PrincipalList> = await this.#ask(
        { path: `principals?${query.toString()}` },
        PrincipalList,
      );
      principals.push(...page.principals);
      cursor = page.next;
    }
    return principals;
  }

  createPrincipal(body: CreatePrincipalBody): Promise<z.infer<typeof CreatedPrincipal>> {
    return this.#post("principals", CreatedPrincipal, { body });
  }

  revoke(id: string): Promise<PrincipalJson> {
    const path = `principals/${encodeURIComponent(id)}/revoke`;
    return this.#post(path, PrincipalJson, { idempotent: true });
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }

  #post<Schema extends z.ZodType>(
    path: string,
    schema: Schema,
    asked: Omit<Asked, "method" | "path"> = {},
  ): Promise<z.infer<Schema>> {
    return this.#ask({ method: "POST", path, ...asked }, schema);
  }

  async #ask<Schema extends z.ZodType>(
    { path, method = "GET", body, headers = {}, idempotent }: Asked,
    schema: Schema,
  ): Promise<z.infer<Schema>> {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const request = {
      path,
      method,
      signal: this.#signal,
      idleMs: IDLE_MS,
      headers: {
        ...headers,
        ...(content === undefined
          ? {}
          : { "content-type": "application/json", "content-length": String(content.length) }),
      },
      ...(content === undefined ? {} : { body: () => content }),
      ...(idempotent === undefined ? {} : { idempotent }),
    };
    try {
      return await this.#client.json(request, schema);
    } catch (thrown) {
      throw this.#noFarm(thrown) ?? thrown;
    }
  }

  /** On this very host nobody answers where a farm was: it is not the network. */
  #noFarm(thrown: unknown): CreameryError | null {
    const { api } = this.#client.address;
    const { hostname, origin } = new URL(api);
    if (!(thrown instanceof CreameryError) || thrown.code !== "no-network") return null;
    if (!isLoopback(hostname)) return null;
    return new CreameryError("no-farm", "no farm answers there", { input: origin, cause: thrown });
  }
}
