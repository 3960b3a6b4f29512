import { lineOfFault } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import { parseRetryAfter } from "../../watch/retry-later.ts";
import { signStandard } from "../../watch/webhooks/standard-webhooks.ts";
import { ask, isRedirect, later, refused, type Outgoing } from "../ask.ts";
import type { AttemptUrl, Delivery, NoticeTarget, Sending } from "../notice-target.ts";
import { payloadOf } from "./webhook-payload.ts";

export interface WebhookOptions {
  readonly project: string;
  readonly url: string;
  /** Read each time: who changes it need not start the farm anew. */
  readonly secret: () => Promise<Secret>;
  readonly urlOf: AttemptUrl;
  readonly outgoing: Outgoing;
}

const GONE = 410;
const TOO_MANY = 429;

/**
 * Changes of one project's verdicts as signed POSTs by the Standard Webhooks scheme (https://www.standardwebhooks.com): any 2xx is
 * taken for delivered, 410 for an end of it; everything else is tried again under the same `webhook-id`.
 */
export class WebhookTarget implements NoticeTarget {
  readonly kind = "webhook";
  readonly takes = "change";
  readonly project: string;
  readonly host: string;
  readonly #options: WebhookOptions;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.project = options.project;
    this.host = new URL(options.url).host;
  }

  async send({ id, notice, nowMs }: Sending, signal: AbortSignal): Promise<Delivery> {
    const { url, urlOf, outgoing } = this.#options;
    if (notice.about !== "change") return refused("a webhook is told of changes");
    const body = JSON.stringify(payloadOf(notice, urlOf));
    let secret: Secret;
    try {
      secret = await this.#options.secret();
    } catch (thrown) {
      return later(lineOfFault(thrown));
    }
    const headers = {
      "content-type": "application/json",
      ...signStandard(secret, id, nowMs, body),
    };
    const answer = await ask({ url, headers, body }, outgoing, signal);
    if (answer.kind === "later") return answer;
    const { status } = answer;
    if (status >= 200 && status <= 299) return { kind: "delivered" };
    // Nothing of its text: that may be anything, what was sent too.
    if (status === GONE) return refused("answered 410: it wants no more");
    if (isRedirect(status)) return later(`answered ${status}: redirects are not followed`);
    const afterMs = parseRetryAfter(answer.headers["retry-after"], nowMs);
    return later(`answered ${status}`, { afterMs, isOfHost: status === TOO_MANY });
  }
}
