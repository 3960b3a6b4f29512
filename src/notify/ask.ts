import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError, reasonOf } from "../base/errors.ts";
import { guardedFetch } from "../base/guarded-fetch.ts";
import type { Secret } from "../base/secret.ts";
import type { Delivery } from "./notice-target.ts";

/** How notices leave the farm: https to public addresses, or to those that the operator allows. */
export interface Outgoing {
  /** `addresses.allow` of creamery.toml. */
  readonly allow: readonly string[];
  /** PEM text trusted besides what this process trusts. */
  readonly ca: () => Promise<string | undefined>;
}

export interface Question {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Posted; without it, it is asked by GET. */
  readonly body?: string;
}

export interface Answer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export type Later = Extract<Delivery, { kind: "later" }>;

const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 256 << 10;
const SHOWN_CHARS = 300;
/** By these everything else for the same host would fail too. */
const HOST_CODES: ReadonlySet<string> = new Set(["no-network", "deadline"]);

/** One request; no redirect is followed. What fails is no fault of the farm's: it is tried later. */
export async function ask(
  { url, headers, body }: Question,
  { allow, ca }: Outgoing,
  signal: AbortSignal,
): Promise<Answer | Later> {
  try {
    const authorities = await ca();
    const response = await guardedFetch(url, {
      signal,
      timeoutMs: TIMEOUT_MS,
      maxBytes: MAX_ANSWER_BYTES,
      follow: false,
      allow,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(authorities === undefined ? {} : { ca: authorities }),
    });
    const { status } = response;
    const text = response.body.toString("utf8");
    return { kind: "answer", status, headers: response.headers, text };
  } catch (thrown) {
    // Its message and not its line: that has the whole address, and what stands in a path is often a secret.
    return later(reasonOf(thrown), {
      isOfHost: thrown instanceof CreameryError && HOST_CODES.has(thrown.code),
    });
  }
}

export function later(
  reason: string,
  more: { readonly afterMs?: number | null; readonly isOfHost?: boolean } = {},
): Later {
  return {
    kind: "later",
    reason: shown(reason),
    afterMs: more.afterMs ?? null,
    isOfHost: more.isOfHost ?? false,
  };
}

export function refused(reason: string): Delivery {
  return { kind: "refused", reason: shown(reason) };
}

/** Somebody else's words, without what was sent to them as a secret. */
export function unsaid(text: string, secret: Secret): string {
  return text.replaceAll(secret.reveal(), "***");
}

/** It would take what is secret or private to somebody else. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status <= 399;
}

function shown(reason: string): string {
  return clip(printableLine(reason), SHOWN_CHARS);
}
