import { z } from "zod";

import type { Scope } from "../principals.ts";

const MAX_TEXT = 256;
const path = z.string().min(1).max(4096);
const absolute = path.refine((text) => text.startsWith("/"), "is no absolute path");

/** `https://login.example/realms/own`: what the provider itself says that it is. */
function isIssuer(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null &&
    url.protocol === "https:" &&
    url.username === "" &&
    url.password === "" &&
    url.search === "" &&
    url.hash === ""
  );
}

/** What somebody is known by: `email:a@farm.example` (or without the word), `group:NAME`, `sub:ID` (or without the word). */
const person = z
  .string()
  .min(1)
  .max(MAX_TEXT)
  .refine(
    (text) => personOf(text).is !== "",
    "names nobody, as somebody@farm.example, group:NAME or sub:ID",
  );
const persons = z.array(person).max(1000);

const OidcTable = z.strictObject({
  issuer: z
    .string()
    .max(2048)
    .refine(isIssuer, 'is no https address of a provider, as "https://login.example"'),
  client_id: z.string().min(1).max(MAX_TEXT),
  client_secret_file: absolute.optional(),
  /** Asked for besides `openid`. */
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/u))
    .max(20)
    .optional(),
  /** Which claim holds somebody's groups. */
  groups_claim: z.string().min(1).max(MAX_TEXT).optional(),
  operators: persons.optional(),
  admins: persons.optional(),
  readers_private: persons.optional(),
});

/** `[login]` of creamery.toml. */
export const LoginTable = z.strictObject({ oidc: OidcTable.optional() });
export type LoginTable = z.infer<typeof LoginTable>;

interface Person {
  readonly by: "sub" | "email" | "group";
  readonly is: string;
}

/** Who somebody is by the word of the operator's provider. */
export const Identity = z.strictObject({
  issuer: z.string(),
  /** Never given to another by that issuer; everything else can change hands. */
  sub: z.string(),
  /** In small letters, and only where the provider says that it is theirs; else null. */
  email: z.string().nullable(),
  /** Those that the configuration names. */
  groups: z.array(z.string()),
});
export type Identity = z.infer<typeof Identity>;

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecretFile: string | null;
  /** As they are asked for, `openid` among them. */
  readonly scopes: readonly string[];
  readonly groupsClaim: string;
  /** Who is trusted with what. */
  readonly trusted: readonly {
    readonly people: readonly Person[];
    readonly with: readonly Scope[];
  }[];
}

const USUAL_SCOPES = ["profile", "email"];
/** Who has something tested sees what became of it. */
const OPERATORS: readonly Scope[] = ["operate", "enqueue"];

/** @returns null where nobody logs in so. */
export function oidcSettings({ oidc }: LoginTable): OidcSettings | null {
  if (oidc === undefined) return null;
  const peopleOf = (words: readonly string[] = []) => words.map(personOf);
  return {
    issuer: oidc.issuer,
    clientId: oidc.client_id,
    clientSecretFile: oidc.client_secret_file ?? null,
    scopes: [...new Set(["openid", ...(oidc.scopes ?? USUAL_SCOPES)])],
    groupsClaim: oidc.groups_claim ?? "groups",
    trusted: [
      { people: peopleOf(oidc.operators), with: OPERATORS },
      { people: peopleOf(oidc.admins), with: ["admin"] },
      { people: peopleOf(oidc.readers_private), with: ["read-private"] },
    ],
  };
}

/** What somebody may do: nothing that the configuration does not say of them; null for whom another provider vouches. */
export function scopesOf(settings: OidcSettings, identity: Identity): readonly Scope[] | null {
  if (identity.issuer !== settings.issuer) return null;
  const isOne = ({ by, is }: Person): boolean => {
    switch (by) {
      case "sub":
        return identity.sub === is;
      case "email":
        return identity.email === is;
      case "group":
        return identity.groups.includes(is);
    }
  };
  return settings.trusted.flatMap((trust) => (trust.people.some(isOne) ? trust.with : []));
}

/** The same of what a session keeps; null also for what is no identity. */
export function scopesOfText(settings: OidcSettings, who: string): readonly Scope[] | null {
  let said: unknown;
  try {
    said = JSON.parse(who);
  } catch {
    return null;
  }
  const identity = Identity.safeParse(said);
  return identity.success ? scopesOf(settings, identity.data) : null;
}

/** The groups that something is said of. */
export function namedGroups({ trusted }: OidcSettings): ReadonlySet<string> {
  return new Set(
    trusted.flatMap(({ people }) => people.flatMap(({ by, is }) => (by === "group" ? [is] : []))),
  );
}

/**
 * A word with `@` and nothing before it is an address, never a `sub`: there are providers where people choose what they are
 * called, and somebody's address is free to choose.
 */
function personOf(text: string): Person {
  const [, by, is = ""] = /^(sub|email|group):(.*)$/su.exec(text) ?? [];
  if (by === "sub" || by === "group") return { by, is };
  const plain = by === "email" ? is : text;
  return plain.includes("@") || by === "email"
    ? { by: "email", is: plain.toLowerCase() }
    : { by: "sub", is: plain };
}
