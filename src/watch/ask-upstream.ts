import { CreameryError } from "../base/errors.ts";
import { shownUrl } from "../index/upstream/secret.ts";
import {
  isForTheMoment,
  readBody,
  type UpstreamClient,
} from "../index/upstream/upstream-client.ts";
import { parseRetryAfter, RetryLater } from "./retry-later.ts";

/** An index that is watched, and how its operator reaches who watches. */
export interface WatchedIndex {
  readonly client: UpstreamClient;
  /** An address for the User-Agent, as indexes ask for it; null where there is none. */
  readonly contact: string | null;
}

export interface Question {
  readonly url: string;
  readonly method?: "GET" | "HEAD" | "POST";
  readonly body?: string;
  readonly accept: string;
  /** Of what is known already. */
  readonly etag?: string | null;
  readonly modified?: string | null;
  readonly maxBytes: number;
  readonly now: number;
  readonly signal: AbortSignal;
}

export type Answer =
  | { readonly kind: "body"; readonly body: Buffer; readonly url: string; readonly said: Said }
  /** 304: what is known is still so. */
  | { readonly kind: "unchanged"; readonly said: Said }
  /** 404 or 410. */
  | { readonly kind: "absent" }
  /** Another status: what is asked for is not to be had by such a question. */
  | { readonly kind: "refused"; readonly status: number };

export interface Said {
  readonly contentType: string;
  readonly etag: string | null;
  readonly modified: string | null;
  /** `X-PyPI-Last-Serial`. */
  readonly serial: number | null;
}

const DEADLINE_MS = 60_000;
/** Who is asked too often and does not say for how long to wait. */
const THROTTLED_MS = 10_000;

/**
 * One request to an index, never made again by itself: whoever asks has a timetable.
 * @throws RetryLater for 429 and 5xx; CreameryError `upstream` (401 and 403 too), `no-network`, `deadline`, `interrupted`.
 */
export async function askUpstream(index: WatchedIndex, question: Question): Promise<Answer> {
  const { url, method = "GET", body, etag = null, modified = null } = question;
  const input = shownUrl(url);
  const contact = index.contact === null ? "" : `; +${index.contact}`;
  using response = await index.client.request({
    url,
    method,
    signal: AbortSignal.any([question.signal, AbortSignal.timeout(DEADLINE_MS)]),
    headers: {
      accept: question.accept,
      "accept-encoding": "gzip",
      "user-agent": `creamery/0.1 (a test farm's watcher${contact})`,
      ...(body === undefined
        ? {}
        : { "content-type": "text/xml", "content-length": `${Buffer.byteLength(body)}` }),
      ...(etag === null ? {} : { "if-none-match": etag }),
      ...(modified === null ? {} : { "if-modified-since": modified }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const { status, headers } = response;
  const one = (key: string): string | null => {
    const value = headers[key];
    return typeof value === "string" && value.length <= 1000 ? value : null;
  };
  if (isForTheMoment(status) && status !== 501) {
    const after = parseRetryAfter(headers["retry-after"], question.now);
    throw new RetryLater(`answers ${status}`, status === 429 ? (after ?? THROTTLED_MS) : after, {
      input,
    });
  }
  if (status === 401 || status === 403)
    throw new CreameryError("upstream", `refuses with ${status}`, {
      input,
      nextStep: "check the credentials in pip's configuration or in ~/.netrc",
    });
  const serial = /^\d{1,15}$/u.exec(one("x-pypi-last-serial") ?? "");
  const said: Said = {
    contentType: one("content-type") ?? "text/html",
    etag: one("etag"),
    modified: one("last-modified"),
    serial: serial === null ? null : Number(serial[0]),
  };
  if (status === 304) return { kind: "unchanged", said };
  if (status === 404 || status === 410) return { kind: "absent" };
  if (status !== 200) return { kind: "refused", status };
  if (method === "HEAD") return { kind: "body", body: Buffer.alloc(0), url: response.url, said };
  return {
    kind: "body",
    body: await readBody(response, question.maxBytes),
    url: response.url,
    said,
  };
}
