import { z } from "zod";

import { parseRepositoryName } from "../../model/repository-name.ts";
import { ignored, refused, type ForgeRules } from "./delivery.ts";
import { isNoObject, ObjectId, pushedReference } from "./references.ts";
import { prefixedDigest, signer } from "./signatures.ts";

const PushPayload = z.object({
  ref: z.string().max(1024),
  after: ObjectId,
  repository: z.object({
    clone_url: z.string().max(2048),
    /** Seconds since the epoch, in this event alone. */
    pushed_at: z.number().int().positive().optional(),
  }),
  /** Of an annotated tag `after` is the tag, and this the commit. */
  head_commit: z.object({ id: ObjectId }).nullish(),
});

/**
 * GitHub. The signature is that of the raw body, as JSON or as a form:
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries (X-Hub-Signature, the SHA-1 one, is
 * for old receivers and not looked at); headers and events: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
 * It covers no header: neither the event's name nor the delivery's id. So the payload must have the event's form, and the
 * same body under another id is the same delivery.
 */
export const GITHUB: ForgeRules = {
  forms: "payload",
  authenticate({ headers, body, secrets }) {
    const header = headers.get("x-hub-signature-256");
    if (header === null)
      return refused(401, "there is no X-Hub-Signature-256 header: set the hook's secret");
    const digest = prefixedDigest(header);
    const by = signer(secrets, [body], digest === null ? [] : [digest]);
    if (by === null) return refused(401, "the signature is not that of a secret of this hook");
    return { kind: "authentic", by, sentAtMs: null, idSigned: false };
  },
  read(headers, payload) {
    const event = headers.get("x-github-event");
    if (event === "ping") return { kind: "ping" };
    if (event !== "push") return ignored("only pushes are acted upon");
    const parsed = PushPayload.safeParse(payload);
    if (!parsed.success) return refused(400, "the payload is no push as GitHub sends it");
    const { ref, after, repository, head_commit: head } = parsed.data;
    const name = parseRepositoryName(repository.clone_url);
    if (name === null) return refused(400, "the payload names no repository");
    const reference = pushedReference(ref, isNoObject(after) ? after : (head?.id ?? after));
    return {
      kind: "push",
      repository: name,
      references: reference === null ? [] : [reference],
      deliveryId: headers.get("x-github-delivery"),
      byBody: true,
      sentAtMs: repository.pushed_at === undefined ? null : repository.pushed_at * 1000,
    };
  },
};
