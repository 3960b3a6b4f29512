import { hostOf } from "../../model/repository-name.ts";
import type { HookSecret } from "../../model/config/webhooks-table.ts";
import { BITBUCKET } from "./bitbucket.ts";
import { bodyKind, readPayload } from "./body.ts";
import { refused, type Delivery, type Forge, type ForgeRules, type Push } from "./delivery.ts";
import { GENERIC } from "./generic.ts";
import { FORGEJO, GITEA } from "./gitea.ts";
import { GITHUB } from "./github.ts";
import { GITLAB } from "./gitlab.ts";

const RULES: Readonly<Record<Forge, ForgeRules>> = {
  github: GITHUB,
  gitlab: GITLAB,
  bitbucket: BITBUCKET,
  gitea: GITEA,
  forgejo: FORGEJO,
  generic: GENERIC,
};

const DELIVERY_ID = /^[\x21-\x7e]{1,200}$/u;
/** Between the sender's clock and ours, and for the way, where the signature covers when a delivery was sent. */
const SKEW_MS = 5 * 60_000;

export interface DeliverySetup {
  readonly secrets: readonly HookSecret[];
  readonly nowMs: number;
  readonly maxBodyBytes: number;
  /** For so long deliveries are known again; what says that it is older is refused, as nobody can tell whether it came before. */
  readonly keepMs: number;
}

/**
 * What a request of a forge asks for. The signature is that of the raw bytes, and is checked before anything is parsed.
 * Throws nothing whatever comes in; reasons hold nothing of the body.
 */
export function parseDelivery(
  forge: Forge,
  headers: Headers,
  body: Buffer,
  setup: DeliverySetup,
): Delivery {
  const rules = RULES[forge];
  if (body.length > setup.maxBodyBytes)
    return refused(413, `the body is longer than ${setup.maxBodyBytes} bytes`);
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity")
    return refused(415, "the body is to be sent as it is, without a Content-Encoding");
  if (rules.isUnsignedPing?.(headers) === true) return { kind: "ping" };
  const kind =
    body.length === 0 && rules.forms === "fields"
      ? "form"
      : bodyKind(headers.get("content-type"), rules.forms);
  if (kind === null)
    return refused(
      415,
      rules.forms === "none"
        ? "the body is to be application/json, in UTF-8"
        : "the body is to be application/json or application/x-www-form-urlencoded, in UTF-8",
    );
  const authentic = rules.authenticate({ headers, body, ...setup });
  if (authentic.kind === "refused") return authentic;
  if (authentic.idSigned && Math.abs(setup.nowMs - (authentic.sentAtMs ?? 0)) > SKEW_MS)
    return refused(401, "it was signed more than 5 minutes from now, by this farm's clock");
  const payload = readPayload(body, kind, rules.forms);
  if (payload.kind === "bad") return refused(400, payload.reason);
  const delivery = rules.read(headers, payload.value, authentic);
  return delivery.kind === "push" ? checked(delivery, authentic.by, setup) : delivery;
}

/** What every forge's push must be. */
function checked(push: Push, by: HookSecret, { nowMs, keepMs }: DeliverySetup): Delivery {
  if (push.repository !== null && hostOf(push.repository) !== by.host)
    return refused(403, "the secret is not that of the repository's host");
  if (push.deliveryId !== null && !DELIVERY_ID.test(push.deliveryId))
    return refused(400, "the delivery's id is none");
  if (push.sentAtMs !== null && push.sentAtMs < nowMs - keepMs)
    return refused(403, "it is older than the deliveries that this farm remembers");
  return push;
}
