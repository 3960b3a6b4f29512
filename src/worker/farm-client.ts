import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { z } from "zod";

import { authoritiesWith } from "../base/authorities.ts";
import { CreameryError, reasonOf } from "../base/errors.ts";
import { errorOfProblem } from "../base/problem.ts";
import { shownUrl } from "../index/upstream/secret.ts";
import { readFarmAddress, type FarmAddress, type FarmSettings } from "./farm-address.ts";

export type FarmMethod = "GET" | "HEAD" | "PUT" | "POST" | "DELETE";

export interface FarmRequest {
  readonly method?: FarmMethod;
  /** Below the API's own address, without a slash before it: `images/2026.11.2+0123abcd`. Its segments are encoded by the caller. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try, so that one that broke off can be made again. */
  readonly body?: () => Buffer | AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** Without a byte for so long, the connection is given up; also how long an answer may take to begin. */
  readonly idleMs?: number;
  /** Whether it may be made again when nobody knows what became of it; by default all but POST. */
  readonly idempotent?: boolean;
  /** For who asks again by itself. */
  readonly retries?: RetryPolicy;
}

export interface FarmResponse extends Disposable {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** To be read to its end or disposed. */
  readonly body: http.IncomingMessage;
}

export interface RetryPolicy {
  /** After the first. */
  readonly retries: number;
  /** Before the first of them; each waits twice as long as the one before, give or take a half. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

export const DEFAULT_RETRIES: RetryPolicy = {
  retries: 6,
  firstPauseMs: 250,
  longestPauseMs: 15_000,
};

/**
 * For what an attempt needs: minutes, so that a farm that is restarted, or whose store is away, spoils no attempt that has
 * gone well so far. Never long between two: the farm may be back.
 */
export const PATIENT_RETRIES: RetryPolicy = {
  retries: 100,
  firstPauseMs: 250,
  longestPauseMs: 5000,
};
export const NO_RETRIES: RetryPolicy = { retries: 0, firstPauseMs: 0, longestPauseMs: 0 };

const IDLE_MS = 60_000;
const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_JSON_BYTES = 32 << 20;
const MAX_RETRY_AFTER_MS = 60_000;
const USER_AGENT = "creamery/0.1 (worker)";

/** A worker's way to its farm: one address, one token, nothing else. */
export class FarmClient implements Disposable {
  readonly address: FarmAddress;
  readonly #agent: http.Agent;
  readonly #retries: RetryPolicy;

  constructor(address: FarmAddress, retries: RetryPolicy = DEFAULT_RETRIES) {
    this.address = address;
    this.#retries = retries;
    const keep = { keepAlive: true, maxSockets: 16, keepAliveMsecs: 5000 };
    this.#agent = address.api.startsWith("https:")
      ? new https.Agent({
          ...keep,
          // A tunnel: the proxy sees neither token nor content. Plain http is loopback's, and goes through none.
          proxyEnv: process.env,
          ...(address.ca === undefined ? {} : { ca: authoritiesWith(address.ca) }),
        })
      : new http.Agent(keep);
  }

  /**
   * @returns an answer of 2xx, 304 or 416; what failed for the moment was tried again.
   * @throws CreameryError as the farm tells it; `farm-refused`, `upstream` where it tells nothing; `no-network`, `interrupted`.
   */
  async request(request: FarmRequest): Promise<FarmResponse> {
    const mayRepeat = request.idempotent ?? request.method !== "POST";
    for (let attempt = 0; ; attempt++) {
      const tried = await this.#try(request);
      if (!(tried instanceof Failed)) return tried;
      const again = attempt < retriesOf(request, this.#retries) && tried.forTheMoment;
      if (!again || !(mayRepeat || tried.notTaken)) throw tried.fault;
      await this.#pause(attempt, tried.retryAfterMs, request.signal);
    }
  }

  /** The answer's JSON, parsed; at most 32 MiB of it. @throws as `request` does; `upstream` where it is something else. */
  async json<Schema extends z.ZodType>(
    request: FarmRequest,
    schema: Schema,
  ): Promise<z.infer<Schema>> {
    const input = this.#shown(request);
    const text = await this.#text(request, input);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw notOurs(input, cause);
    }
    const parsed = schema.safeParse(value);
    if (!parsed.success) throw notOurs(input, parsed.error);
    return parsed.data;
  }

  async #text(request: FarmRequest, input: string): Promise<string> {
    const mayRepeat = request.idempotent ?? request.method !== "POST";
    for (let attempt = 0; ; attempt++) {
      using response = await this.request(request);
      try {
        return await readText(response.body, MAX_JSON_BYTES, input, request.signal);
      } catch (thrown) {
        request.signal.throwIfAborted();
        if (!mayRepeat || attempt >= retriesOf(request, this.#retries)) throw thrown;
      }
      await this.#pause(attempt, 0, request.signal);
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #try(request: FarmRequest): Promise<FarmResponse | Failed> {
    let body: http.IncomingMessage;
    try {
      body = await this.#send(request);
    } catch (thrown) {
      return this.#broken(thrown, request);
    }
    const status = body.statusCode ?? 0;
    if ((status >= 200 && status < 300) || status === 304 || status === 416)
      return { status, headers: body.headers, body, [Symbol.dispose]: () => void body.destroy() };
    return await this.#refusal(status, body, request);
  }

  async #send(request: FarmRequest): Promise<http.IncomingMessage> {
    request.signal.throwIfAborted();
    const { method = "GET", headers, signal, idleMs = IDLE_MS } = request;
    const url = new URL(request.path, this.address.api);
    if (!url.href.startsWith(this.address.api))
      throw new CreameryError("internal", "is no path of the farm's API", { input: request.path });
    const client = url.protocol === "https:" ? https : http;
    const outgoing = client.request(url, {
      method,
      agent: this.#agent,
      signal,
      headers: {
        "user-agent": USER_AGENT,
        ...headers,
        authorization: this.address.authorization.reveal(),
      },
    });
    outgoing.setTimeout(idleMs, () =>
      outgoing.destroy(
        new CreameryError("no-network", `the farm sent nothing for ${idleMs / 1000} s`, {
          input: this.#shown(request),
        }),
      ),
    );
    const answered = once(outgoing, "response").then(([response]) => {
      if (!(response instanceof http.IncomingMessage)) throw new Error("no response");
      return response;
    });
    answered.catch(() => undefined);
    const content = request.body?.();
    if (content === undefined || Buffer.isBuffer(content)) outgoing.end(content);
    else {
      // A farm that refuses answers before it has read all: that answer is what counts, not the broken pipe.
      const sent = pipeline(Readable.from(content, { objectMode: false }), outgoing, { signal });
      await Promise.race([sent, answered]);
      sent.catch(() => undefined);
    }
    return await answered;
  }

  #broken(thrown: unknown, request: FarmRequest): Failed {
    const input = this.#shown(request);
    if (request.signal.aborted) {
      const reason: unknown = request.signal.reason;
      const fault =
        reason instanceof CreameryError
          ? reason
          : new CreameryError("interrupted", "was interrupted", { input });
      return new Failed(fault, false);
    }
    if (thrown instanceof CreameryError)
      return new Failed(thrown, thrown.code === "no-network", false);
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
    // The cause is left out: a request's own error can carry its headers.
    const fault = new CreameryError(
      "no-network",
      `the farm can't be reached: ${code === "" ? reasonOf(thrown) : code.toLowerCase()}`,
      { input, nextStep: "check the farm's address and this host's network" },
    );
    // A certificate that is not believed stays so.
    return new Failed(fault, !/CERT|TLS|SSL|ALTNAME/u.test(code), code === "ECONNREFUSED");
  }

  async #refusal(
    status: number,
    body: http.IncomingMessage,
    request: FarmRequest,
  ): Promise<Failed> {
    const input = this.#shown(request);
    const text = await readText(body, MAX_PROBLEM_BYTES, input, request.signal).catch(() => "");
    const told = errorOfProblem(body.headers["content-type"], text);
    const fault = told ?? untold(status, input);
    const busy = status === 429 || status === 503;
    const after = Number(body.headers["retry-after"]);
    return new Failed(
      fault,
      busy || (told === null && status >= 500),
      busy,
      Number.isFinite(after) && after > 0 ? Math.min(after * 1000, MAX_RETRY_AFTER_MS) : 0,
    );
  }

  async #pause(attempt: number, atLeastMs: number, signal: AbortSignal): Promise<void> {
    const { firstPauseMs, longestPauseMs } = this.#retries;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** attempt) * (0.5 + Math.random());
    await sleep(Math.max(atLeastMs, pauseMs), undefined, { signal }).catch((thrown: unknown) => {
      signal.throwIfAborted();
      throw thrown;
    });
  }

  #shown(request: FarmRequest): string {
    return shownUrl(URL.parse(request.path, this.address.api)?.href ?? this.address.api);
  }
}

/** @throws CreameryError `configuration-file`. */
export async function openFarmClient(
  settings: FarmSettings,
  retries?: RetryPolicy,
): Promise<FarmClient> {
  return new FarmClient(await readFarmAddress(settings), retries);
}

function retriesOf({ retries }: FarmRequest, own: RetryPolicy): number {
  return (retries ?? own).retries;
}

/** One try that came to nothing. */
class Failed {
  readonly fault: CreameryError;
  /** Whether it may succeed soon. */
  readonly forTheMoment: boolean;
  /** The farm surely did nothing of it. */
  readonly notTaken: boolean;
  readonly retryAfterMs: number;

  constructor(fault: CreameryError, forTheMoment: boolean, notTaken = false, retryAfterMs = 0) {
    this.fault = fault;
    this.forTheMoment = forTheMoment;
    this.notTaken = notTaken;
    this.retryAfterMs = retryAfterMs;
  }
}

function untold(status: number, input: string): CreameryError {
  if (status === 401 || status === 403)
    return new CreameryError("farm-refused", `the farm refuses this worker (${status})`, { input });
  if (status === 413)
    return new CreameryError("too-large", "is more than the farm takes", { input });
  if (status >= 300 && status < 400)
    return new CreameryError("upstream", `the farm sends elsewhere (${status})`, {
      input,
      nextStep: "name the farm's own address: a token is sent nowhere else",
    });
  return new CreameryError("upstream", `the farm answers ${status}`, {
    input,
    nextStep: "see that the farm runs, and that its address is right",
  });
}

function notOurs(input: string, cause: unknown): CreameryError {
  return new CreameryError("upstream", "the farm answers with what is none of its answers", {
    input,
    nextStep: "see that the farm's address is right, and that worker and farm are of one version",
    cause,
  });
}

async function readText(
  body: http.IncomingMessage,
  maxBytes: number,
  input: string,
  signal: AbortSignal,
): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      size += bytes.length;
      if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
      chunks.push(bytes);
    }
    if (!body.complete) throw new Error("it was cut short");
  } catch (thrown) {
    signal.throwIfAborted();
    throw new CreameryError("no-network", `the farm's answer broke off: ${reasonOf(thrown)}`, {
      input,
      cause: thrown,
    });
  }
  return Buffer.concat(chunks).toString("utf8");
}
