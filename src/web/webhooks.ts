import { createHash } from "node:crypto";
import { Hono, type Context } from "hono";

import { reasonOf } from "../base/errors.ts";
import type { ConfiguredRepository, HookSecret } from "../model/config/webhooks-table.ts";
import type { Deliveries, DeliveryKey } from "../model/deliveries.ts";
import type { RepositoryName } from "../model/repository-name.ts";
import { isName, normaliseName } from "../python/names.ts";
import {
  isForge,
  type Forge,
  type Push,
  type PushedReference,
  type Refused,
} from "../watch/webhooks/delivery.ts";
import { parseDelivery } from "../watch/webhooks/parse-delivery.ts";
import { wantedReferences } from "../watch/webhooks/wanted-references.ts";
import type { Peer } from "./client-address.ts";
import { FailedTries } from "./failed-tries.ts";
import { problem } from "./problem.ts";
import { readBody } from "./read-body.ts";

/** What is to be tested because of a push. The address that is cloned is the operator's, never the payload's. */
export interface WantedPush {
  readonly repository: ConfiguredRepository;
  readonly reference: PushedReference;
  /**
   * The same for the same reference of the same delivery, whenever and however often it comes: what is queued under it
   * is queued once.
   */
  readonly key: string;
  readonly forge: Forge;
  readonly receivedAtMs: number;
}

/** One request, for the farm's log and its records; holds no secret and nothing of the body but names that were checked. */
export interface HookAudit {
  readonly atMs: number;
  readonly address: string;
  readonly forge: Forge;
  /** As the hook's address names it, normalised; empty for what no project can be called, null where it names none. */
  readonly project: string | null;
  readonly outcome: "accepted" | "already-accepted" | "ping" | "ignored" | "refused" | "failed";
  readonly status: number;
  readonly reason: string;
  readonly deliveryId: string | null;
}

export interface WebhookDeps {
  /**
   * Secrets of a hook whose address names a project, or of one whose address names none. For a project that is not
   * there none: then the answer is that of a bad signature.
   */
  secretsOf(project: string | null): readonly HookSecret[];
  /** The configured projects of a repository; more than one live in some. */
  projectsOf(repository: RepositoryName): readonly ConfiguredRepository[];
  /** By normalised name; null when there is none, or none with a repository. */
  repositoryOf(project: string): ConfiguredRepository | null;
  readonly deliveries: Deliveries;
  /** Queues what is not queued under its key. @returns the jobs' ids. */
  enqueue(push: WantedPush, signal: AbortSignal): Promise<readonly string[]>;
  audit(entry: HookAudit): void;
  peer(context: Context): Peer;
  nowMs(): number;
  /** Holds a refusal back. Ends early with the signal. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
  readonly maxBodyBytes: number;
  /** For so long deliveries are remembered. */
  readonly keepMs: number;
  readonly bodyTimeoutMs?: number;
  readonly failedTries?: FailedTries;
}

const BODY_TIMEOUT_MS = 10_000;
const RETRY_SECONDS = 30;
/** Refusals of who fails too often are held back for so long, */
const HOLD_MS = 2000;
/** and so many of them at once: then they are answered at once. */
const MAX_HELD = 64;

/**
 * `POST /:forge` and `POST /:forge/:project`, to be mounted at `/hooks`. Errors are problem+json (RFC 9457).
 *
 * A sender who fails too often is slowed, never locked out: anybody can have a forge send bad deliveries from the same
 * addresses that good ones come from.
 */
export function webhookRoutes(deps: WebhookDeps): Hono {
  const hooks = new Webhooks(deps);
  const app = new Hono();
  app.post("/:forge", (context) => hooks.receive(context, context.req.param("forge"), null));
  app.post("/:forge/:project", (context) =>
    hooks.receive(context, context.req.param("forge"), context.req.param("project")),
  );
  const method = (): Response =>
    problem({ status: 405, detail: "webhooks are sent by POST", headers: { allow: "POST" } });
  app.all("/:forge", method);
  app.all("/:forge/:project", method);
  app.notFound(() => problem({ status: 404, detail: NO_HOOK }));
  // What the handlers themselves let through; the sender may try again.
  app.onError(() => unavailable());
  return app;
}

const NO_HOOK = "there is no such hook: POST to /hooks/FORGE or /hooks/FORGE/PROJECT";

interface Attempt {
  readonly request: Request;
  readonly forge: Forge;
  readonly project: string | null;
  readonly peer: Peer;
  readonly atMs: number;
}

class Webhooks {
  readonly #deps: WebhookDeps;
  readonly #failed: FailedTries;
  #held = 0;

  constructor(deps: WebhookDeps) {
    this.#deps = deps;
    this.#failed = deps.failedTries ?? new FailedTries();
  }

  async receive(context: Context, word: string, named: string | null): Promise<Response> {
    if (!isForge(word)) return problem({ status: 404, detail: NO_HOOK });
    const { maxBodyBytes, bodyTimeoutMs = BODY_TIMEOUT_MS } = this.#deps;
    const request = context.req.raw;
    const attempt: Attempt = {
      request,
      forge: word,
      // What no project can be called is no project's, and never no project at all.
      project: named === null ? null : isName(named) ? normaliseName(named) : "",
      peer: this.#deps.peer(context),
      atMs: this.#deps.nowMs(),
    };
    const body = await readBody(request, { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs });
    switch (body.kind) {
      case "whole":
        return this.#parse(attempt, body.bytes);
      case "too-large":
        return this.#refuse(attempt, 413, `the body is longer than ${maxBodyBytes} bytes`);
      case "too-slow":
        return this.#refuse(attempt, 408, `the body took longer than ${bodyTimeoutMs / 1000} s`);
      case "broken":
        return this.#refuse(attempt, 400, "the body broke off");
    }
  }

  async #parse(attempt: Attempt, body: Buffer): Promise<Response> {
    const { maxBodyBytes, keepMs } = this.#deps;
    const { forge, project, request, atMs } = attempt;
    const delivery = parseDelivery(forge, request.headers, body, {
      secrets: this.#deps.secretsOf(project),
      nowMs: atMs,
      maxBodyBytes,
      keepMs,
    });
    switch (delivery.kind) {
      case "ping":
        return this.#done(attempt, 200, "ping", "pong");
      case "ignored":
        return this.#done(attempt, 200, "ignored", delivery.why);
      case "refused":
        return delivery.status === 401
          ? this.#refuseStranger(attempt, delivery)
          : this.#refuse(attempt, delivery.status, delivery.reason);
      case "push":
        return this.#push(attempt, delivery, createHash("sha256").update(body).digest("hex"));
    }
  }

  async #push(attempt: Attempt, push: Push, bodySha256: string): Promise<Response> {
    const repositories = this.#repositories(attempt.project, push);
    if (repositories === "unsaid")
      return this.#refuse(
        attempt,
        400,
        "neither the hook's address nor the body names a project's repository",
      );
    if (repositories.length === 0)
      return this.#refuse(
        attempt,
        404,
        "no project of this farm has this repository: name it in creamery.toml, as repository of [project.NAME]",
      );
    const wanted = repositories.flatMap((repository) =>
      wantedReferences(push.references, repository).map((reference) => ({ repository, reference })),
    );
    if (wanted.length === 0)
      return this.#done(attempt, 200, "ignored", "no branch or tag of it is one that is tested", {
        push,
      });
    try {
      return await this.#enqueue(attempt, push, bodySha256, wanted);
    } catch (thrown) {
      this.#audit(attempt, "failed", 503, reasonOf(thrown), push.deliveryId);
      return unavailable();
    }
  }

  async #enqueue(
    attempt: Attempt,
    push: Push,
    bodySha256: string,
    wanted: readonly Pick<WantedPush, "repository" | "reference">[],
  ): Promise<Response> {
    const { deliveries } = this.#deps;
    const { forge, request, atMs } = attempt;
    const names = [...new Set(wanted.map(({ repository }) => repository.project))].toSorted();
    const delivery: DeliveryKey = {
      scope: `${forge}:${names.join(",")}`,
      id: push.deliveryId,
      bodySha256,
      byBody: push.byBody,
    };
    const standing = await deliveries.look(delivery);
    if (standing === "other-body") return this.#refuse(attempt, 409, OTHER_BODY, push.deliveryId);
    if (standing === "seen")
      return this.#done(attempt, 200, "already-accepted", "this delivery came before", { push });
    const queued: { project: string; reference: string; jobs: readonly string[] }[] = [];
    for (const { repository, reference } of wanted) {
      const key = keyOf(delivery, repository, reference, atMs);
      const jobs = await this.#deps.enqueue(
        { repository, reference, key, forge, receivedAtMs: atMs },
        request.signal,
      );
      queued.push({ project: repository.project, reference: reference.name, jobs });
    }
    // Last: whoever dies before this queues the same keys again.
    if ((await deliveries.keep(delivery, atMs)) === "other-body")
      return this.#refuse(attempt, 409, OTHER_BODY, push.deliveryId);
    return this.#done(attempt, 202, "accepted", "", { push, queued });
  }

  /** What the push may be about: the address's project, when the payload does not say another repository. */
  #repositories(
    project: string | null,
    { repository }: Push,
  ): readonly ConfiguredRepository[] | "unsaid" {
    if (project === null) return repository === null ? "unsaid" : this.#deps.projectsOf(repository);
    const configured = this.#deps.repositoryOf(project);
    if (configured === null) return [];
    return repository === null || repository === configured.name ? [configured] : [];
  }

  async #refuseStranger(attempt: Attempt, { status, reason }: Refused): Promise<Response> {
    const { peer, atMs, request } = attempt;
    this.#failed.note(peer.address, atMs);
    const waitSeconds = this.#failed.waitSeconds(peer.address, atMs);
    if (waitSeconds === 0) return this.#refuse(attempt, status, reason);
    if (this.#held < MAX_HELD) {
      this.#held++;
      try {
        await this.#deps.pause(HOLD_MS, request.signal);
      } catch {
        // The sender waits no more.
      } finally {
        this.#held--;
      }
    }
    return this.#refuse(attempt, 429, `${reason}; this address has failed too often`, null, {
      "retry-after": String(waitSeconds),
    });
  }

  #refuse(
    attempt: Attempt,
    status: number,
    reason: string,
    deliveryId: string | null = null,
    headers: Readonly<Record<string, string>> = {},
  ): Response {
    this.#audit(attempt, "refused", status, reason, deliveryId);
    return problem({ status, detail: reason, headers });
  }

  #done(
    attempt: Attempt,
    status: 200 | 202,
    outcome: HookAudit["outcome"],
    why: string,
    more: { readonly push?: Push; readonly queued?: readonly object[] } = {},
  ): Response {
    const deliveryId = more.push?.deliveryId ?? null;
    this.#audit(attempt, outcome, status, why, deliveryId);
    const answer = {
      status: outcome,
      ...(why === "" ? {} : { why }),
      ...(deliveryId === null ? {} : { delivery: deliveryId }),
      ...(more.queued === undefined ? {} : { queued: more.queued }),
    };
    return new Response(`${JSON.stringify(answer)}\n`, {
      status,
      headers: { "content-type": "application/json", "cache-control": "no-store" },
    });
  }

  #audit(
    { atMs, peer, forge, project }: Attempt,
    outcome: HookAudit["outcome"],
    status: number,
    reason: string,
    deliveryId: string | null,
  ): void {
    this.#deps.audit({
      atMs,
      address: peer.address,
      forge,
      project,
      outcome,
      status,
      reason,
      deliveryId,
    });
  }
}

const OTHER_BODY = "this delivery's id came before, with another body";

function unavailable(): Response {
  return problem({
    status: 503,
    detail: "the farm could not take it: send it again",
    headers: { "retry-after": String(RETRY_SECONDS) },
  });
}

/** Of a delivery that is new each time, the time is what tells one from another. */
function keyOf(
  { scope, id, bodySha256, byBody }: DeliveryKey,
  { project }: ConfiguredRepository,
  { kind, name }: PushedReference,
  atMs: number,
): string {
  const which = byBody ? bodySha256 : (id ?? `${bodySha256} ${atMs}`);
  return createHash("sha256")
    .update(JSON.stringify([scope, which, project, kind, name]))
    .digest("hex");
}
