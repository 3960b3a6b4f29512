import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { AwsV4Signer } from "aws4fetch";

import { printableLine, clip } from "../../base/bounded-text.ts";
import { CreameryError, reasonOf } from "../../base/errors.ts";
import { S3Connections, textOf, type Answer, type Exchange } from "./s3-exchange.ts";
import { s3Address, urlOf, type S3Credentials, type S3Place } from "./s3-place.ts";
import { parseFault } from "./s3-xml.ts";

const NOTHING = Buffer.alloc(0);
const TRIES = 7;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;
/** One request with its answer's head; the content of an answer has its own time. */
const REQUEST_MS = 120_000;

export interface S3Request {
  readonly method: Exchange["method"];
  /** Without the prefix; null for the bucket itself. */
  readonly key: string | null;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly signal: AbortSignal;
}

/** What a server said of a request that it did not do. */
export class S3Fault extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(clip(printableLine(`${code}: ${message}`), 300));
    this.status = status;
    this.code = code;
  }
}

export interface S3ClientOptions {
  readonly credentials: S3Credentials;
  /** Waits between two tries; for tests. */
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Signed requests to one bucket, tried again where that may help: every one of them may be made twice. */
export class S3Client implements Disposable {
  readonly place: S3Place;
  readonly #credentials: S3Credentials;
  readonly #connections: S3Connections;
  readonly #pause: NonNullable<S3ClientOptions["pause"]>;

  constructor(place: S3Place, options: S3ClientOptions) {
    this.place = place;
    this.#credentials = options.credentials;
    this.#connections = new S3Connections(place.authority);
    this.#pause =
      options.pause ??
      (async (ms, signal) => {
        await sleep(ms, undefined, { signal });
      });
  }

  /**
   * The answer to a request, its body not yet read.
   * @throws S3Fault for what the server refuses for good; CreameryError `bucket` where it can't be reached or believed, `interrupted`.
   */
  async ask(request: S3Request): Promise<Answer> {
    return await this.#tried(request, async () => await this.#once(request));
  }

  /** The same, with the answer's text, read within the same try. A fault that comes with status 200 is one. */
  async askText(request: S3Request): Promise<{ answer: Answer; text: string }> {
    return await this.#tried(request, async () => {
      const answer = await this.#once(request);
      const text = await textOf(answer);
      const fault = parseFault(text);
      if (fault !== null) throw new S3Fault(answer.status, fault.code, fault.message);
      return { answer, text };
    });
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]();
  }

  async #tried<Value>(request: S3Request, once: () => Promise<Value>): Promise<Value> {
    for (let tries = 1; ; tries++) {
      try {
        return await once();
      } catch (thrown) {
        const input = s3Address(this.place, request.key ?? "");
        if (request.signal.aborted)
          throw new CreameryError("interrupted", "was interrupted", { input, cause: thrown });
        if (!mayPass(thrown)) throw thrown;
        if (tries === TRIES)
          throw new CreameryError("bucket", `failed ${TRIES} times: ${reasonOf(thrown)}`, {
            input,
            nextStep: "see that the S3 server answers, and try again",
            cause: thrown,
          });
        const longest = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
        // Those who failed together don't come back together.
        const ms = longest * (0.5 + Math.random() / 2);
        await this.#pause(Math.max(ms, retryAfterMs(thrown)), request.signal).catch(
          () => undefined,
        );
      }
    }
  }

  async #once(request: S3Request): Promise<Answer> {
    const { method, key, body = NOTHING } = request;
    const url = urlOf(
      this.place,
      key === null ? null : `${this.place.prefix}${key}`,
      request.query,
    );
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        ...request.headers,
        // Signed with the rest: what is changed on the way is refused.
        "x-amz-content-sha256": createHash("sha256").update(body).digest("hex"),
      },
      service: "s3",
      region: this.place.region,
      ...this.#credentials.reveal(),
    });
    const signed = await signer.sign();
    const headers = Object.fromEntries(signed.headers.entries());
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), REQUEST_MS);
    const answer = await this.#connections
      .exchange({
        method,
        url: signed.url,
        headers,
        body,
        signal: AbortSignal.any([request.signal, late.signal]),
      })
      .catch((cause: unknown) => {
        const reason = late.signal.aborted ? "took too long" : reasonOf(cause);
        throw new NetworkFault(reason, { cause });
      })
      .finally(() => clearTimeout(timer));
    if (answer.status < 300) return answer;
    const text = await textOf(answer).catch(() => "");
    const fault = parseFault(text) ?? {
      code: CODES[answer.status] ?? `status ${answer.status}`,
      message: "the server says no more",
    };
    const after = Number(answer.headers["retry-after"]);
    const region = answer.headers["x-amz-bucket-region"];
    throw new RefusedFault(
      answer.status,
      fault.code,
      answer.status < 400 && typeof region === "string"
        ? `the bucket is in region ${region}`
        : fault.message,
      Number.isFinite(after) ? after * 1000 : 0,
    );
  }
}

class NetworkFault extends Error {}

class RefusedFault extends S3Fault {
  readonly retryAfterMs: number;

  constructor(status: number, code: string, message: string, afterMs: number) {
    super(status, code, message);
    this.retryAfterMs = Math.min(Math.max(afterMs, 0), 3 * LONGEST_PAUSE_MS);
  }
}

function retryAfterMs(thrown: unknown): number {
  return thrown instanceof RefusedFault ? thrown.retryAfterMs : 0;
}

/** The answer to a HEAD has no text. */
const CODES: Readonly<Record<number, string>> = {
  301: "PermanentRedirect",
  400: "BadRequest",
  403: "AccessDenied",
  404: "NotFound",
  503: "ServiceUnavailable",
};

/** Faults of a moment, as the API's reference names them. */
const PASSING: ReadonlySet<string> = new Set([
  "InternalError",
  "SlowDown",
  "ServiceUnavailable",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
  "RequestTimeout",
  "BadDigest",
  "IncompleteBody",
  "XAmzContentSHA256Mismatch",
  "ConditionalRequestConflict",
  "OperationAborted",
]);

function mayPass(thrown: unknown): boolean {
  if (!(thrown instanceof S3Fault)) return !(thrown instanceof CreameryError);
  return thrown.status >= 500 || thrown.status === 429 || PASSING.has(thrown.code);
}

/** A fault for whoever reads it; never what was sent. */
export function s3FaultOf(thrown: unknown, input: string): CreameryError {
  if (thrown instanceof CreameryError) return thrown;
  if (!(thrown instanceof S3Fault))
    return new CreameryError(
      "bucket",
      `the S3 server's answer makes no sense: ${reasonOf(thrown)}`,
      {
        input,
        nextStep: "see that bucket.endpoint in creamery.toml is that of a server that speaks S3",
        cause: thrown,
      },
    );
  return new CreameryError("bucket", thrown.message, {
    input,
    nextStep: nextStepOf(thrown),
    cause: thrown,
  });
}

function nextStepOf({ code, status }: S3Fault): string {
  if (code === "RequestTimeTooSkewed") return "set this host's clock";
  if (code === "NoSuchBucket") return "make the bucket, or name another as bucket.place";
  if (status === 301 || status === 307 || code === "AuthorizationHeaderMalformed")
    return "set bucket.region and bucket.endpoint in creamery.toml";
  if (status === 401 || status === 403)
    return "check the credentials, and that they may read, write, list and delete there (docs/bucket.md)";
  return "see docs/bucket.md";
}
