import { createHmac } from "node:crypto";

import type { Secret } from "../../base/secret.ts";
import type { HookSecret } from "../../model/config/webhooks-table.ts";
import { refused, type Authentic, type HookRequest, type Refused } from "./delivery.ts";
import { signer } from "./signatures.ts";

const MAX_SIGNATURES = 8;
const PREFIX = "whsec_";

/**
 * The Standard Webhooks scheme, version 1 (https://www.standardwebhooks.com): `webhook-signature` holds `v1,` and the
 * base64 of HMAC-SHA256 over `webhook-id.webhook-timestamp.body`, more than one separated by spaces. When it was sent is
 * told by seconds since the epoch, and covered, as the id is; how old is too old is the caller's to say.
 */
export function authenticateStandard({ headers, body, secrets }: HookRequest): Authentic | Refused {
  const id = headers.get("webhook-id") ?? "";
  const timestamp = headers.get("webhook-timestamp") ?? "";
  const digests = (headers.get("webhook-signature") ?? "")
    .split(" ", MAX_SIGNATURES)
    .flatMap((text) => digestOf(text) ?? []);
  const signed = /^[\x21-\x7e]{1,200}$/u.test(id) && /^\d{1,12}$/u.test(timestamp);
  const by: HookSecret | null = signer(
    secrets,
    [`${id}.${timestamp}.`, body],
    signed ? digests : [],
    keysOf,
  );
  if (by === null) return refused(401, "the signature is not that of a secret of this hook");
  return { kind: "authentic", by, sentAtMs: Number(timestamp) * 1000, idSigned: true };
}

/**
 * The headers with which a message is sent by the same scheme.
 * @param id the same each time that the message is sent, so that who gets it twice can tell. @param body as it is sent.
 */
export function signStandard(
  secret: Secret,
  id: string,
  sentAtMs: number,
  body: string,
): Readonly<Record<string, string>> {
  const [key = ""] = keysOf(secret.reveal());
  const timestamp = String(Math.floor(sentAtMs / 1000));
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${digest}`,
  };
}

/** The scheme's key is what stands in base64 behind `whsec_`; a sender that does not know of the prefix signs with the text. */
function keysOf(text: string): readonly (string | Buffer)[] {
  return text.startsWith(PREFIX)
    ? [Buffer.from(text.slice(PREFIX.length), "base64"), text]
    : [text];
}

/** Of `v1,` and base64 in its one right form: the last character has bits that a decoder would leave out. */
function digestOf(text: string): Buffer | null {
  const base64 = /^v1,([A-Za-z0-9+/]{43}=)$/u.exec(text)?.[1];
  if (base64 === undefined) return null;
  const digest = Buffer.from(base64, "base64");
  return digest.toString("base64") === base64 ? digest : null;
}
