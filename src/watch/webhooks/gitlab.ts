import { z } from "zod";

import { parseRepositoryName } from "../../model/repository-name.ts";
import { ignored, refused, type ForgeRules } from "./delivery.ts";
import { isNoObject, ObjectId, pushedReference } from "./references.ts";
import { holder } from "./signatures.ts";
import { authenticateStandard } from "./standard-webhooks.ts";

const Kind = z.object({ object_kind: z.string().max(100) });

const PushPayload = z.object({
  ref: z.string().max(1024),
  after: ObjectId,
  /** Of an annotated tag `after` is the tag, and this the commit. */
  checkout_sha: ObjectId.nullish(),
  project: z.object({ git_http_url: z.string().max(2048) }),
});

/**
 * GitLab. A hook has a secret token, which comes with each request as it is (X-Gitlab-Token), or a signing token, whose
 * signature is that of Standard Webhooks; where there is a signature it alone counts, so that a bad one is not made good
 * by a token. https://docs.gitlab.com/user/project/integrations/webhooks/ (headers),
 * https://docs.gitlab.com/user/project/integrations/webhook_events/ (payloads),
 * https://gitlab.com/gitlab-org/gitlab/-/merge_requests/230944 (signing token).
 * Idempotency-Key is the same for each try of one delivery; two pushes that set a branch to and fro have equal bodies, so
 * a body says nothing where there is an id.
 */
export const GITLAB: ForgeRules = {
  forms: "none",
  authenticate(request) {
    const { headers, secrets } = request;
    if (headers.has("webhook-signature")) return authenticateStandard(request);
    const token = headers.get("x-gitlab-token");
    if (token === null)
      return refused(
        401,
        "there is neither a webhook-signature nor an X-Gitlab-Token header: set the hook's signing or secret token",
      );
    const by = holder(secrets, token);
    if (by === null) return refused(401, "the token is no secret of this hook");
    return { kind: "authentic", by, sentAtMs: null, idSigned: false };
  },
  read(headers, payload, { idSigned, sentAtMs }) {
    // The event's header is covered by no signature; the body says it too.
    const kind = Kind.safeParse(payload).data?.object_kind;
    if (kind === undefined) return refused(400, "the payload says no object_kind");
    if (kind !== "push" && kind !== "tag_push") return ignored("only pushes are acted upon");
    const parsed = PushPayload.safeParse(payload);
    if (!parsed.success) return refused(400, "the payload is no push as GitLab sends it");
    const { ref, after, checkout_sha: commit, project } = parsed.data;
    const name = parseRepositoryName(project.git_http_url);
    if (name === null) return refused(400, "the payload names no repository");
    const reference = pushedReference(ref, isNoObject(after) ? after : (commit ?? after));
    const deliveryId = idSigned
      ? headers.get("webhook-id")
      : (headers.get("idempotency-key") ?? headers.get("x-gitlab-webhook-uuid"));
    return {
      kind: "push",
      repository: name,
      references: reference === null ? [] : [reference],
      deliveryId,
      byBody: deliveryId === null,
      sentAtMs,
    };
  },
};
