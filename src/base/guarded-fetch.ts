import { Agent, request, type RequestOptions } from "node:https";

import { authoritiesWith } from "./authorities.ts";
import { CreameryError, reasonOf } from "./errors.ts";
import { addressPolicy, assertHostAllowed, guardedLookup } from "./guarded-address.ts";

export interface GuardedFetchOptions {
  readonly signal: AbortSignal;
  /** For everything together, redirects included. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  /** PEM text trusted besides those that this process trusts. */
  readonly ca?: string;
  readonly maxRedirects?: number;
}

export interface GuardedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** After redirects. */
  readonly url: string;
}

/**
 * Fetches what a package or a person names: https alone, each hop's addresses checked after resolution
 * (the socket connects to the address that was checked), size and time bounded.
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
  let current = parseHttpsUrl(url);
  try {
    for (let hop = 0; hop <= (options.maxRedirects ?? 5); hop++) {
      assertHostAllowed(current.hostname, policy);
      const response = await once(
        current,
        {
          agent,
          signal,
          lookup: guardedLookup(policy),
          headers: { "user-agent": "creamery", ...options.headers },
          ...(options.ca === undefined ? {} : { ca: authoritiesWith(options.ca) }),
        },
        options.maxBytes,
      );
      const location = response.headers["location"];
      if (response.status < 300 || response.status > 399 || location === undefined)
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

function once(
  url: URL,
  options: RequestOptions,
  maxBytes: number,
): Promise<Omit<GuardedResponse, "url">> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
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
        const headers: Record<string, string> = {};
        for (const [name, value] of Object.entries(incoming.headers)) {
          if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
        }
        resolve({ status: incoming.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
