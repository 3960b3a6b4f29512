import { lookup } from "node:dns/promises";
import * as http from "node:http";
import * as https from "node:https";
import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";

import { authoritiesWith } from "../../base/authorities.ts";
import { CreameryError, reasonOf } from "../../base/errors.ts";
import {
  ANY_ADDRESS,
  addressPolicy,
  assertHostAllowed,
  guardedLookup,
  type AddressPolicy,
} from "../../base/guarded-address.ts";
import { errorOfProblem, isProblem } from "../../base/problem.ts";
import type { Secret } from "../../base/secret.ts";
import { shownUrl, withoutCredentials } from "./secret.ts";
import type { Transport, Upstream } from "./upstreams.ts";

export interface UpstreamRequest {
  readonly url: string;
  readonly method?: "GET" | "HEAD" | "POST";
  /** Of a POST; it is sent again only where a redirect says so (307, 308). */
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Without a byte for so long, the connection is given up. */
  readonly idleMs?: number;
  /** How often it is made again when it fails for the moment: no connection, 429 or 5xx. By default not at all. */
  readonly retries?: number;
}

export interface UpstreamResponse extends Disposable {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: http.IncomingMessage;
  /** After redirects. */
  readonly url: string;
}

/** Names the software, as indexes ask (and a contact: the operator can be found behind the address). */
const USER_AGENT = "creamery/0.1 (a test farm's pull-through mirror)";
const MAX_REDIRECTS = 5;
const MAX_PROBLEM_BYTES = 64 * 1024;
export const IDLE_MS = 30_000;

/**
 * Asks one upstream. Its own origin is the operator's choice and is reached whatever its address; what
 * its pages or redirects name beyond that must be https at a public address, at an address that the
 * upstream itself has (a proxy that stands for several hosts), or at one the operator allows.
 * Credentials are sent to the upstream's own origin alone.
 */
export class UpstreamClient {
  readonly upstream: Upstream;
  readonly #agents: { readonly http: http.Agent; readonly https: https.Agent };
  readonly #allow: readonly string[];
  readonly #proxied: boolean;
  #ownAddresses: Promise<readonly string[]> | undefined;

  constructor(upstream: Upstream, transport: Transport, allow: readonly string[] = []) {
    this.upstream = upstream;
    this.#allow = allow;
    const proxyEnv = transport.direct === true ? {} : proxyEnvironment(transport.proxy);
    this.#proxied = Object.keys(proxyEnv).some(
      (name) => name.endsWith("_PROXY") && name !== "NO_PROXY",
    );
    const keep = { keepAlive: true, maxSockets: 8, keepAliveMsecs: 5000, proxyEnv };
    this.#agents = {
      http: new http.Agent(keep),
      https: new https.Agent({
        ...keep,
        rejectUnauthorized: !upstream.insecure,
        ...(transport.ca === undefined ? {} : { ca: authoritiesWith(transport.ca) }),
        ...(transport.clientCert === undefined
          ? {}
          : { cert: transport.clientCert, key: transport.clientCert }),
      }),
    };
  }

  /** Whether it is a farm's index, which tells more than one of packages does. */
  get isFarm(): boolean {
    return this.upstream.farm !== undefined;
  }

  /**
   * @returns any answer that is no redirect; the caller disposes it or reads it to its end.
   * @throws CreameryError `no-network`, `upstream`, `address-refused`, `deadline`, `interrupted`.
   */
  async request(request: UpstreamRequest): Promise<UpstreamResponse> {
    for (let attempt = 0; attempt < (request.retries ?? 0); attempt++) {
      try {
        const response = await this.#follow(request);
        if (!isForTheMoment(response.status) || this.#isTold(response)) return response;
        response[Symbol.dispose]();
      } catch (thrown) {
        if (!(thrown instanceof CreameryError && thrown.code === "no-network")) throw thrown;
      }
      await beforeRetry(attempt, request.signal);
    }
    return await this.#follow(request);
  }

  async #follow(request: UpstreamRequest): Promise<UpstreamResponse> {
    let url = new URL(request.url);
    try {
      for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
        const body = await this.#once(url, request, await this.#policyFor(url));
        const status = body.statusCode ?? 0;
        const location = body.headers.location;
        if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
          return {
            status,
            headers: body.headers,
            body,
            url: url.href,
            [Symbol.dispose]: () => void body.destroy(),
          };
        }
        body.destroy();
        if (request.method === "POST" && status !== 307 && status !== 308)
          throw new CreameryError(
            "upstream",
            `answers what is posted with a redirect (${status})`,
            {
              input: shownUrl(url.href),
            },
          );
        const next = URL.parse(location, url.href);
        if (next === null)
          throw new CreameryError("upstream", "redirects to what is no address", {
            input: shownUrl(url.href),
          });
        url = next;
      }
      throw new CreameryError("upstream", "redirects without end", {
        input: shownUrl(request.url),
      });
    } catch (thrown) {
      throw this.#asFault(thrown, url, request.signal);
    }
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  /**
   * What a farm says in the place of what was asked of it: its own indexes' fault as it met it there, or that it refuses this
   * host; null for any other answer, and for an index's.
   */
  async told(response: UpstreamResponse): Promise<CreameryError | null> {
    if (!this.isFarm) return null;
    const { status, headers } = response;
    if (status === 401 || status === 403)
      return new CreameryError("farm-refused", `the farm refuses this worker (${status})`, {
        input: shownUrl(response.url),
      });
    if (!isProblem(headers["content-type"])) return null;
    const body = await readBody(response, MAX_PROBLEM_BYTES);
    return errorOfProblem(headers["content-type"], body.toString("utf8"));
  }

  /** A farm has tried again already when it says that an index of its own fails. */
  #isTold({ status, headers }: UpstreamResponse): boolean {
    const final = status !== 429 && status !== 503;
    return this.isFarm && final && isProblem(headers["content-type"]);
  }

  #isOwn(url: URL): boolean {
    return url.origin === new URL(this.upstream.url).origin;
  }

  async #policyFor(url: URL): Promise<AddressPolicy> {
    if (this.#isOwn(url)) return ANY_ADDRESS;
    const policy = addressPolicy([...this.#allow, ...(await this.#addressesOfUpstream())]);
    if (
      url.protocol !== "https:" &&
      !(url.protocol === "http:" && policy.allowsHost(url.hostname))
    ) {
      throw new CreameryError(
        "address-refused",
        `the index sends to ${url.protocol}//${url.host}, which is no https address`,
        {
          input: shownUrl(this.upstream.url),
          nextStep: "allow its host with addresses.allow in creamery.toml if it is yours",
        },
      );
    }
    assertHostAllowed(url.hostname, policy);
    return policy;
  }

  #addressesOfUpstream(): Promise<readonly string[]> {
    const host = new URL(this.upstream.url).hostname.replace(/^\[|\]$/gu, "");
    if (isIP(host) !== 0) return Promise.resolve([]);
    this.#ownAddresses ??= lookup(host, { all: true }).then(
      (found) => found.map(({ address }) => address),
      () => [],
    );
    return this.#ownAddresses;
  }

  #once(url: URL, request: UpstreamRequest, policy: AddressPolicy): Promise<http.IncomingMessage> {
    const own = this.#isOwn(url);
    const authorization = own ? this.upstream.authorization : null;
    const options: https.RequestOptions = {
      method: request.method ?? "GET",
      headers: {
        "user-agent": USER_AGENT,
        ...request.headers,
        ...(authorization === null ? {} : { authorization: authorization.reveal() }),
      },
      // Through a proxy, the proxy resolves: what remains is the check of literal addresses.
      ...(own || this.#proxied ? {} : { lookup: guardedLookup(policy) }),
    };
    return new Promise((resolve, reject) => {
      const outgoing =
        url.protocol === "https:"
          ? https.request(url, { ...options, agent: this.#agents.https })
          : http.request(url, { ...options, agent: this.#agents.http });
      const idleMs = request.idleMs ?? IDLE_MS;
      outgoing.setTimeout(idleMs, () =>
        outgoing.destroy(
          new CreameryError("upstream", `sent nothing for ${idleMs / 1000} s`, {
            input: shownUrl(url.href),
          }),
        ),
      );
      // Without an error, unlike Node's own `signal`: when the answer is whole, and not read yet, nobody hears it, and the process ends.
      const abort = (): void => void outgoing.destroy();
      request.signal.addEventListener("abort", abort, { once: true });
      outgoing.once("close", () => request.signal.removeEventListener("abort", abort));
      if (request.signal.aborted) abort();
      outgoing.on("error", reject);
      outgoing.on("response", resolve);
      outgoing.end(request.body);
    });
  }

  #asFault(thrown: unknown, url: URL, signal: AbortSignal): CreameryError {
    const input = shownUrl(url.href);
    if (signal.aborted && signal.reason instanceof CreameryError) return signal.reason;
    if (
      signal.aborted &&
      signal.reason instanceof DOMException &&
      signal.reason.name === "TimeoutError"
    ) {
      return new CreameryError("deadline", "took too long to answer", { input });
    }
    if (signal.aborted) return new CreameryError("interrupted", "was interrupted", { input });
    if (thrown instanceof CreameryError) return thrown;
    // Of all hosts that an index can send to, the one that was configured is what a person knows.
    const index = this.#isOwn(url) ? "the index" : "what the index names";
    // The cause is left out: a request's own error can carry its headers.
    return new CreameryError(
      "no-network",
      `${index} can't be reached: ${this.#proxied ? "by way of the proxy, " : ""}${whyUnreachable(thrown)} (configured is ${shownUrl(this.upstream.url)})`,
      {
        input,
        nextStep: "check this host's network and pip's configuration with `./creamery doctor`",
      },
    );
  }
}

/** Whether what answers so may answer otherwise soon. */
export function isForTheMoment(status: number): boolean {
  return status === 429 || status >= 500;
}

/** Waits a little longer each time, not as long as others do. @throws the signal's reason. */
export async function beforeRetry(attempt: number, signal: AbortSignal): Promise<void> {
  await sleep(100 * 2 ** attempt * (0.5 + Math.random()), undefined, { signal }).catch(
    (thrown: unknown) => {
      signal.throwIfAborted();
      throw thrown;
    },
  );
}

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "no way to the host",
  ENETUNREACH: "no way to its network",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name can't be looked up now",
  ETIMEDOUT: "connection timed out",
};

/** Without the address that was tried: a loopback address of the host reads like one of the guest's. */
function whyUnreachable(thrown: unknown): string {
  // Where a name has several addresses, the first one's failure stands for all; the whole has no message.
  const first: unknown = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  const code = first instanceof Error && "code" in first ? String(first.code) : "";
  return UNREACHABLE[code] ?? withoutCredentials(reasonOf(first));
}

function proxyEnvironment(proxy: Secret | null): NodeJS.ProcessEnv {
  if (proxy !== null) return { HTTP_PROXY: proxy.reveal(), HTTPS_PROXY: proxy.reveal() };
  const taken: NodeJS.ProcessEnv = {};
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]) {
    const value = process.env[name] ?? process.env[name.toLowerCase()];
    if (value !== undefined && value !== "") taken[name] = value;
  }
  return taken;
}

/** Reads a whole body, decoded, at most `maxBytes` of it. @throws CreameryError `upstream`. */
export async function readBody(response: UpstreamResponse, maxBytes: number): Promise<Buffer> {
  const input = shownUrl(response.url);
  // Bombs are bounded by maxBytes, which counts what is decoded.
  const encoded =
    response.headers["content-encoding"] === "gzip"
      ? response.body.pipe(createGunzip())
      : response.body;
  // pipe() does not pass errors on.
  response.body.on("error", (error) => encoded.destroy(error));
  response.body.on("close", () => {
    if (!response.body.complete) encoded.destroy(new Error("the answer was cut short"));
  });
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of encoded) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
      size += bytes.length;
      if (size > maxBytes)
        throw new CreameryError("upstream", `is larger than ${maxBytes} bytes`, { input });
      chunks.push(bytes);
    }
  } catch (thrown) {
    if (thrown instanceof CreameryError) throw thrown;
    throw new CreameryError("upstream", `broke off: ${withoutCredentials(reasonOf(thrown))}`, {
      input,
      nextStep: "try again; the index or the way to it is at fault",
    });
  }
  if (!response.body.complete)
    throw new CreameryError("upstream", "broke off: the answer was cut short", { input });
  return Buffer.concat(chunks);
}
