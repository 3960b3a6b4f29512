import { z } from "zod";

import { parseRepositoryName } from "../../model/repository-name.ts";
import { payloadField, bodyKind } from "./body.ts";
import { ignored, refused, type Delivery, type ForgeRules } from "./delivery.ts";
import { isNoObject, isReferenceName, ObjectId, pushedReference } from "./references.ts";
import { hexDigest, signer } from "./signatures.ts";

const repository = z.object({ clone_url: z.string().max(2048) });

const PushPayload = z.object({
  ref: z.string().max(1024),
  after: ObjectId,
  repository,
  /** Of an annotated tag `after` is the tag, and this the commit. */
  head_commit: z.object({ id: ObjectId }).nullish(),
});

/** What is deleted is told by an event of its own. */
const DeletePayload = z.object({
  ref: z.string().max(1024),
  ref_type: z.enum(["branch", "tag"]),
  repository,
});

/**
 * Gitea and Forgejo: https://docs.gitea.com/usage/repository/webhooks, https://forgejo.org/docs/latest/user/webhooks/.
 * The signature is bare hexadecimal of the JSON, also where that comes in a form (services/webhook/deliver.go of Gitea):
 * then the field's bytes are decoded before the signature is checked, and nothing else is done with them.
 * @param names of headers, in order: the first that is there counts, so that a bad signature is not made good by another.
 */
function rules(names: readonly string[]): ForgeRules {
  const header = (headers: Headers, what: string): string | null =>
    names.map((name) => headers.get(`x-${name}-${what}`)).find((value) => value !== null) ?? null;
  return {
    forms: "payload",
    authenticate({ headers, body, secrets }) {
      // A hook without a secret sends the header with nothing in it.
      const signature = header(headers, "signature") ?? "";
      if (signature === "")
        return refused(401, `there is no X-${names[0]}-Signature header: set the hook's secret`);
      const isForm = bodyKind(headers.get("content-type"), "payload") === "form";
      const signed = isForm ? payloadField(body) : body;
      const digest = hexDigest(signature);
      const by = signer(
        secrets,
        [signed ?? ""],
        digest === null || signed === null ? [] : [digest],
      );
      if (by === null) return refused(401, "the signature is not that of a secret of this hook");
      return { kind: "authentic", by, sentAtMs: null, idSigned: false };
    },
    read(headers, payload) {
      const event = header(headers, "event");
      const deliveryId = header(headers, "delivery");
      if (event === "push") return readPush(payload, deliveryId);
      if (event === "delete") return readDelete(payload, deliveryId);
      return ignored("only pushes are acted upon");
    },
  };
}

function readPush(payload: unknown, deliveryId: string | null): Delivery {
  const parsed = PushPayload.safeParse(payload);
  if (!parsed.success) return refused(400, "the payload is no push as Gitea and Forgejo send it");
  const { ref, after, head_commit: head } = parsed.data;
  const name = parseRepositoryName(parsed.data.repository.clone_url);
  if (name === null) return refused(400, "the payload names no repository");
  const reference = pushedReference(ref, isNoObject(after) ? after : (head?.id ?? after));
  return {
    kind: "push",
    repository: name,
    references: reference === null ? [] : [reference],
    deliveryId,
    byBody: true,
    sentAtMs: null,
  };
}

function readDelete(payload: unknown, deliveryId: string | null): Delivery {
  const parsed = DeletePayload.safeParse(payload);
  if (!parsed.success)
    return refused(400, "the payload is no deletion as Gitea and Forgejo send it");
  const { ref, ref_type: kind } = parsed.data;
  const name = parseRepositoryName(parsed.data.repository.clone_url);
  if (name === null) return refused(400, "the payload names no repository");
  return {
    kind: "push",
    repository: name,
    references: isReferenceName(ref) ? [{ name: ref, kind, commit: null, deleted: true }] : [],
    deliveryId,
    byBody: true,
    sentAtMs: null,
  };
}

export const GITEA: ForgeRules = rules(["gitea"]);

/** Sends Gitea's headers too. */
export const FORGEJO: ForgeRules = rules(["forgejo", "gitea"]);
