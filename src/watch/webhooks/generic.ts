import { z } from "zod";

import { parseRepositoryName } from "../../model/repository-name.ts";
import { refused, type ForgeRules } from "./delivery.ts";
import { isReferenceName, ObjectId, splitReference } from "./references.ts";
import { holder } from "./signatures.ts";

const Body = z.strictObject({
  repository: z.string().max(2048).optional(),
  ref: z.string().max(1024).optional(),
  commit: ObjectId.optional(),
});

/**
 * Whatever can send a request: `curl -X POST -H "Authorization: Bearer TOKEN" -d ref=main`. Nothing at all asks for the
 * default branch. Without an Idempotency-Key a request that names a commit is the same as one before with the same body;
 * one that names none is new each time: the branch may have moved.
 */
export const GENERIC: ForgeRules = {
  forms: "fields",
  authenticate({ headers, secrets }) {
    const header = headers.get("authorization");
    if (header === null)
      return refused(401, "there is no Authorization header: send `Authorization: Bearer TOKEN`");
    const token = /^bearer ([\x21-\x7e]{1,512})$/iu.exec(header)?.[1];
    const by = token === undefined ? null : holder(secrets, token);
    if (by === null) return refused(401, "the token is no secret of this hook");
    return { kind: "authentic", by, sentAtMs: null, idSigned: false };
  },
  read(headers, payload) {
    const parsed = Body.safeParse(payload);
    if (!parsed.success)
      return refused(
        400,
        "the body is to hold repository, ref and commit, each as text, and nothing else",
      );
    const { repository, ref = "HEAD", commit } = parsed.data;
    const name = repository === undefined ? null : parseRepositoryName(repository);
    if (repository !== undefined && name === null)
      return refused(400, "repository is no https address, nor host/owner/name");
    const reference = ref.startsWith("refs/")
      ? splitReference(ref)
      : isReferenceName(ref)
        ? { name: ref, kind: "branch" as const }
        : null;
    if (reference === null)
      return refused(400, "ref is no branch, refs/heads/NAME or refs/tags/NAME");
    const deliveryId = headers.get("idempotency-key");
    return {
      kind: "push",
      repository: name,
      references: [{ ...reference, commit: commit ?? null, deleted: false }],
      deliveryId,
      byBody: deliveryId === null && commit !== undefined,
      sentAtMs: null,
    };
  },
};
