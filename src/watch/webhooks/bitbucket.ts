import { z } from "zod";

import { parseRepositoryName, type RepositoryName } from "../../model/repository-name.ts";
import {
  ignored,
  refused,
  type Delivery,
  type ForgeRules,
  type PushedReference,
} from "./delivery.ts";
import { isReferenceName, ObjectId, pushedReference } from "./references.ts";
import { prefixedDigest, signer } from "./signatures.ts";

/** Of one push: the most that is looked at. */
const MAX_CHANGES = 1000;

const CloudReference = z.object({
  type: z.string().max(100),
  name: z.string().max(1024),
  target: z.object({ hash: ObjectId }).nullish(),
});

const CloudPush = z.object({
  repository: z.object({ links: z.object({ html: z.object({ href: z.string().max(2048) }) }) }),
  push: z.object({
    changes: z
      .array(z.object({ new: CloudReference.nullish(), old: CloudReference.nullish() }))
      .max(MAX_CHANGES),
  }),
});

const link = z.object({ href: z.string().max(2048) });

const ServerPush = z.object({
  date: z.string().max(100).optional(),
  repository: z.object({
    slug: z.string().max(256),
    project: z.object({ key: z.string().max(256) }),
    /** Newer versions send them. */
    links: z.object({ self: z.array(link).max(8).optional() }).nullish(),
  }),
  changes: z
    .array(z.object({ ref: z.object({ id: z.string().max(1024) }), toHash: ObjectId }))
    .max(MAX_CHANGES),
});

/**
 * Bitbucket Cloud (https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/, secrets:
 * https://bitbucket.org/blog/enhanced-webhook-security) and Data Center
 * (https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html): `X-Hub-Signature: sha256=`, of the raw
 * body; GitHub's header of that name is SHA-1. What Data Center sends to test a connection has no signature.
 */
export const BITBUCKET: ForgeRules = {
  forms: "none",
  isUnsignedPing: (headers) =>
    headers.get("x-event-key") === "diagnostics:ping" && !headers.has("x-hub-signature"),
  authenticate({ headers, body, secrets }) {
    const header = headers.get("x-hub-signature");
    if (header === null)
      return refused(401, "there is no X-Hub-Signature header: set the hook's secret");
    const digest = prefixedDigest(header);
    const by = signer(secrets, [body], digest === null ? [] : [digest]);
    if (by === null) return refused(401, "the signature is not that of a secret of this hook");
    return { kind: "authentic", by, sentAtMs: null, idSigned: false };
  },
  read(headers, payload, { by }) {
    const event = headers.get("x-event-key");
    if (event === "diagnostics:ping") return { kind: "ping" };
    if (event === "repo:push") return readCloud(payload, headers.get("x-request-uuid"));
    if (event === "repo:refs_changed")
      return readServer(payload, headers.get("x-request-id"), by.host);
    return ignored("only pushes are acted upon");
  },
};

function readCloud(payload: unknown, deliveryId: string | null): Delivery {
  const parsed = CloudPush.safeParse(payload);
  if (!parsed.success) return refused(400, "the payload is no push as Bitbucket Cloud sends it");
  const name = parseRepositoryName(parsed.data.repository.links.html.href);
  if (name === null) return refused(400, "the payload names no repository");
  return {
    kind: "push",
    repository: name,
    references: parsed.data.push.changes.flatMap((change) => {
      const reference = cloudReference(change.new ?? null, change.old ?? null);
      return reference === null ? [] : [reference];
    }),
    deliveryId,
    byBody: true,
    sentAtMs: null,
  };
}

type CloudReference = z.infer<typeof CloudReference>;

/** `new` is null for what is deleted. Null for Mercurial's kinds and for names that git does not take. */
function cloudReference(
  now: CloudReference | null,
  before: CloudReference | null,
): PushedReference | null {
  const reference = now ?? before;
  if (reference === null || !isReferenceName(reference.name)) return null;
  const { name, type: kind } = reference;
  if (kind !== "branch" && kind !== "tag") return null;
  return { name, kind, commit: now?.target?.hash ?? null, deleted: now === null };
}

/** @param host of the secret: where a version does not say who it is. */
function readServer(payload: unknown, deliveryId: string | null, host: string): Delivery {
  const parsed = ServerPush.safeParse(payload);
  if (!parsed.success)
    return refused(400, "the payload is no push as Bitbucket Data Center sends it");
  const { repository, changes, date } = parsed.data;
  const name = serverName(repository, host);
  if (name === null) return refused(400, "the payload names no repository");
  const dateMs = Date.parse(date ?? "");
  return {
    kind: "push",
    repository: name,
    references: changes.flatMap(({ ref, toHash }) => {
      const reference = pushedReference(ref.id, toHash);
      return reference === null ? [] : [reference];
    }),
    deliveryId,
    byBody: true,
    sentAtMs: Number.isNaN(dateMs) ? null : dateMs,
  };
}

/** As it is cloned: `host/scm/key/name`, below the path that the server itself is at. */
function serverName(
  { slug, project, links }: z.infer<typeof ServerPush>["repository"],
  host: string,
): RepositoryName | null {
  const [self] = links?.self ?? [];
  const base =
    self === undefined
      ? `https://${host}`
      : /^(https?:\/\/[^?#]+?)\/(?:projects|users)\/[^/]+\/repos\/[^/]+(?:\/|$)/u.exec(
          self.href,
        )?.[1];
  return base === undefined ? null : parseRepositoryName(`${base}/scm/${project.key}/${slug}`);
}
