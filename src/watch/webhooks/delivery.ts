import type { HookSecret } from "../../model/config/webhooks-table.ts";
import type { RepositoryName } from "../../model/repository-name.ts";

/** Kinds of senders; Gitea and Forgejo differ in the names of their headers alone. */
export const FORGES = ["github", "gitlab", "bitbucket", "gitea", "forgejo", "generic"] as const;
export type Forge = (typeof FORGES)[number];

export function isForge(word: string): word is Forge {
  return FORGES.some((forge) => forge === word);
}

/** What one push says of one branch or tag. */
export interface PushedReference {
  /** Without `refs/heads/` or `refs/tags/`; `HEAD` where the sender named none. */
  readonly name: string;
  readonly kind: "branch" | "tag";
  /** In hexadecimal, 40 or 64 digits; null where the sender does not say, and of what is deleted. */
  readonly commit: string | null;
  readonly deleted: boolean;
}

export interface Push {
  readonly kind: "push";
  /** As the payload says: for looking it up and for nothing else. Null where a generic sender leaves it to the hook's address. */
  readonly repository: RepositoryName | null;
  readonly references: readonly PushedReference[];
  readonly deliveryId: string | null;
  /** Whether the same body again is the same delivery (model/deliveries.ts). */
  readonly byBody: boolean;
  /** Whose authenticity the signature covers; since the epoch. */
  readonly sentAtMs: number | null;
}

export interface Refused {
  readonly kind: "refused";
  readonly status: 400 | 401 | 403 | 413 | 415;
  /** For the sender and for records: never holds a secret, nor anything of the body. */
  readonly reason: string;
}

export type Delivery =
  | Push
  | { readonly kind: "ping" }
  | { readonly kind: "ignored"; readonly why: string }
  | Refused;

/** A request as it came. */
export interface HookRequest {
  readonly headers: Headers;
  readonly body: Buffer;
  readonly secrets: readonly HookSecret[];
  readonly nowMs: number;
}

/** Who sent it: whoever knows the secret. */
export interface Authentic {
  readonly kind: "authentic";
  readonly by: HookSecret;
  /** When it was sent, where the signature covers that. */
  readonly sentAtMs: number | null;
  /** Whether the signature covers the delivery's id. */
  readonly idSigned: boolean;
}

/** What one forge does in its own way; everything else is alike (parse-delivery.ts). */
export interface ForgeRules {
  /** Whether the forge sends `payload=` forms too. */
  readonly forms: "none" | "payload" | "fields";
  /** A test of the connection that the forge does not sign: nothing but an answer comes of it. */
  isUnsignedPing?(headers: Headers): boolean;
  /** Sees raw bytes alone. */
  authenticate(request: HookRequest): Authentic | Refused;
  /** @param payload parsed JSON (or a form's fields), of which nothing is known. */
  read(headers: Headers, payload: unknown, authentic: Authentic): Delivery;
}

export function refused(status: Refused["status"], reason: string): Refused {
  return { kind: "refused", status, reason };
}

export function ignored(why: string): Delivery {
  return { kind: "ignored", why };
}
