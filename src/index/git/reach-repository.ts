import { lookup } from "node:dns/promises";
import { isIP } from "node:net";

import { CreameryError } from "../../base/errors.ts";
import { addressPolicy, addressRefused, assertHostAllowed } from "../../base/guarded-address.ts";
import { guardedFetch } from "../../base/guarded-fetch.ts";
import { isHostName } from "./repository-address.ts";

export interface ReachOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  /** PEM text of authorities to trust besides this host's. */
  readonly ca?: string;
}

/** Where a repository is, and how git is to reach it and nothing else. */
export interface ReachedRepository {
  /** After redirects. */
  readonly url: string;
  /** Options of git's: no redirect, no credentials of this host's, and no resolver asked again. */
  readonly options: readonly string[];
  /** What is nobody else's to see: it stands in no command line. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Asks git's own first question by the guarded fetch, each redirect checked, and checks the addresses to which git will connect.
 * @throws CreameryError `address-refused`, `no-network`, `upstream`, `deadline`, `interrupted`; where the host has no such
 *   repository for us, one whose `cause` is `NotServed`.
 */
export async function reachRepository(
  asked: string,
  options: ReachOptions,
): Promise<ReachedRepository> {
  const question = "/info/refs?service=git-upload-pack";
  const answer = await guardedFetch(`${asked.replace(/\/$/u, "")}${question}`, {
    signal: options.signal,
    timeoutMs: options.timeoutMs,
    // git reads it anew: it may be as long as a hostile server likes.
    headersOnly: true,
    maxBytes: 0,
    headers: { "git-protocol": "version=2" },
    ...(options.allow === undefined ? {} : { allow: options.allow }),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  if (answer.status !== 200 || !answer.url.endsWith(question))
    throw new CreameryError(
      "upstream",
      `is no git repository that can be read (${answer.status})`,
      {
        input: asked,
        nextStep: "check the address; private repositories are not fetched",
        ...(NONE_FOR_US.has(answer.status) ? { cause: new NotServed(answer.status) } : {}),
      },
    );
  const url = answer.url.slice(0, -question.length);
  const pinned = await pin(new URL(url), options.allow ?? []);
  const settings = [
    "http.followRedirects=false",
    `http.curloptResolve=${pinned}`,
    "credential.helper=",
    "gc.auto=0",
  ];
  return { url, options: settings.flatMap((setting) => ["-c", setting]) };
}

const NONE_FOR_US: ReadonlySet<number> = new Set([401, 403, 404, 410, 451]);

/** The host answers, and has no such repository for us (any more). */
export class NotServed extends Error {
  /** @param status what it answers. */
  constructor(status: number) {
    super(`answers ${status}`);
    this.name = "NotServed";
  }
}

/** `HOST:PORT:ADDRESS`: git's curl asks no resolver again, so nobody can answer it otherwise. */
async function pin(url: URL, allow: readonly string[]): Promise<string> {
  const policy = addressPolicy(allow);
  assertHostAllowed(url.hostname, policy);
  const host = url.hostname.replace(/^\[|\]$/gu, "");
  if (isIP(host) === 0 && !isHostName(host)) throw addressRefused(host, null);
  const found = await lookup(host, { all: true }).catch((cause: unknown) => {
    throw new CreameryError("no-network", "has no address", { input: host, cause });
  });
  const allowed = found.filter(
    ({ address }) => policy.allowsHost(host) || policy.allowsAddress(address),
  );
  if (allowed.length === 0) throw addressRefused(host, found[0]?.address ?? null);
  return `${host}:${url.port === "" ? "443" : url.port}:${allowed.map(({ address, family }) => (family === 6 ? `[${address}]` : address)).join(",")}`;
}
