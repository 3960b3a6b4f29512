import { Agent, request, type RequestOptions } from "node:https";

import { authoritiesWith } from "./authorities.ts";
import { CreameryError, reasonOf } from "./errors.ts";
import { addressPolicy, assertHostAllowed, guardedLookup } from "./guarded-address.ts";

export interface GuardedFetchOptions {
  /** What is posted; without it, it is asked by GET. */
  readonly body?: string;
  /** Whether redirects are followed: by default, and never where something is posted. Headers go along, secret ones too. */
  readonly follow?: boolean;
  /** The answer's body is left unread, and empty. */
  readonly headersOnly?: boolean;
  readonly signal: AbortSignal;
  /** For everything together, redirects included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  /** PEM text trusted besides those that this process trusts. */
  readonly ca?: string;
}

export interface GuardedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** After redirects. */
  readonly url: string;
}

const MAX_REDIRECTS = 5;

/**
 * Fetches what a package or a person names: https alone, each hop's addresses checked after resolution
 * (the socket connects to the address that was checked), size and time bounded. What is posted goes to whom it is meant for
 * and to nobody else: there a redirect is the answer.
 * @throws CreameryError `address-refused`, `upstream`, `no-network`, `deadline`, `interrupted`.
 */
export async function guardedFetch(
  url: string,
  options: GuardedFetchOptions,
): Promise<GuardedResponse> {
  const policy = addressPolicy(options.allow ?? []);
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const agent = new Agent({ keepAlive: false });
  const follow = options.body === undefined && options.follow !== false;
  let current = parseHttpsUrl(url);
  try {
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      assertHostAllowed(current.hostname, policy);
      const response = await once(
        current,
        {
          agent,
          signal,
          lookup: guardedLookup(policy),
          headers: { "user-agent": "creamery", ...lengthOf(options.body), ...options.headers },
          ...(options.body === undefined ? {} : { method: "POST" }),
          ...(options.ca === undefined ? {} : { ca: authoritiesWith(options.ca) }),
        },
        options,
      );
      const location = response.headers["location"];
      const isRedirect = response.status >= 300 && response.status <= 399;
      if (!isRedirect || location === undefined || !follow)
        return { ...response, url: current.href };
      current = parseHttpsUrl(new URL(location, current).href);
    }
    throw new CreameryError("upstream", "redirects without end", { input: url });
  } catch (thrown) {
    if (thrown instanceof CreameryError) throw thrown;
    if (options.signal.aborted)
      throw new CreameryError("interrupted", "was interrupted", { input: url, cause: thrown });
    if (deadline.aborted)
      throw new CreameryError("deadline", `took longer than ${options.timeoutMs / 1000} s`, {
        input: url,
        cause: thrown,
      });
    throw new CreameryError("no-network", `could not be fetched: ${reasonOf(thrown)}`, {
      input: url,
      cause: thrown,
    });
  } finally {
    agent.destroy();
  }
}

/** @throws CreameryError `address-refused` for anything but an https URL without credentials. */
export function parseHttpsUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "https:") {
    throw new CreameryError("address-refused", "is no https address", {
      input: url === null ? text.slice(0, 200) : `${url.protocol}//${url.host}`,
      nextStep: "give an https:// URL",
    });
  }
  if (url.username !== "" || url.password !== "") {
    throw new CreameryError(
      "address-refused",
      "holds credentials, which would end in logs and results",
      { input: url.host, nextStep: "give it without user and password" },
    );
  }
  return url;
}

function lengthOf(body: string | undefined): Record<string, number> {
  return body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
}

function once(
  url: URL,
  options: RequestOptions,
  { maxBytes, body, headersOnly }: GuardedFetchOptions,
): Promise<Omit<GuardedResponse, "url">> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const status = incoming.statusCode ?? 0;
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(incoming.headers)) {
        if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
      }
      if (headersOnly === true) {
        resolve({ status, headers, body: Buffer.alloc(0) });
        incoming.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxBytes) {
          incoming.destroy();
          reject(
            new CreameryError("upstream", `is larger than ${maxBytes} bytes`, { input: url.href }),
          );
          return;
        }
        chunks.push(chunk);
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        if (!incoming.complete) {
          reject(new Error("the answer was cut short"));
          return;
        }
        resolve({ status, headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
