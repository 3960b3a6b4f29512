import { z } from "zod";

import type { Secret } from "../../base/secret.ts";
import { parseRetryAfter } from "../../watch/retry-later.ts";
import { isRedirect, later, refused, unsaid, type Answer } from "../ask.ts";
import type { Delivery } from "../notice-target.ts";

const Problem = z.object({ message: z.string() });

/** Who is over a secondary limit and is not told for how long. */
const UNTOLD_MS = 60_000;
const MAX_WAIT_MS = 3_600_000;

/**
 * What an answer of GitHub's REST API that is no success means (https://docs.github.com/en/rest/using-the-rest-api). Rate limits:
 * 403 or 429 with `retry-after`, or with no more `x-ratelimit-remaining` until `x-ratelimit-reset`, or with a message alone.
 */
export function githubFailure(answer: Answer, secret: Secret, nowMs: number): Delivery {
  const { status, headers } = answer;
  const said = unsaid(messageOf(answer.text), secret);
  const reason = `answered ${status}${said === "" ? "" : `: ${said}`}`;
  if (isRedirect(status))
    return later(`${reason}: it has moved; name where it is now as notify.github.repository`);
  if (status === 403 || status === 429) {
    const limitMs = limitOf(headers, nowMs);
    if (limitMs !== null) return later(reason, { afterMs: limitMs, isOfHost: true });
    if (status === 429 || /\b(?:rate limit|abuse)/iu.test(said))
      return later(reason, { afterMs: UNTOLD_MS, isOfHost: true });
    return later(reason);
  }
  // No such commit, too many statuses of it: it stays so.
  if (status === 422) return refused(reason);
  return later(reason, { afterMs: parseRetryAfter(headers["retry-after"], nowMs) });
}

function limitOf(headers: Answer["headers"], nowMs: number): number | null {
  const after = parseRetryAfter(headers["retry-after"], nowMs);
  if (after !== null) return after;
  const reset = /^\d{1,12}$/u.exec(headers["x-ratelimit-reset"] ?? "");
  if (headers["x-ratelimit-remaining"] !== "0" || reset === null) return null;
  return Math.min(Math.max(0, Number(reset[0]) * 1000 - nowMs), MAX_WAIT_MS);
}

export function messageOf(text: string): string {
  try {
    return Problem.safeParse(JSON.parse(text)).data?.message ?? "";
  } catch {
    return "";
  }
}
