import type { Configuration, CustomFetch, IDToken, UserInfoResponse } from "openid-client";
import { z } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError, reasonOf } from "../../base/errors.ts";
import { guardedFetch } from "../../base/guarded-fetch.ts";
import type { Secret } from "../../base/secret.ts";
import { namedGroups, type Identity, type OidcSettings } from "../../model/config/login-table.ts";

export interface OidcLoginDeps {
  readonly settings: OidcSettings;
  /** Null for a client without one, which PKCE alone protects. */
  readonly secret: Secret | null;
  /** `addresses.allow` of creamery.toml: the provider's own addresses are checked as any others. */
  readonly allow: readonly string[];
  /** PEM to trust besides what this host does. */
  readonly authorities: () => Promise<string | undefined>;
  readonly nowMs: () => number;
}

/** What came of somebody's way to the provider and back. */
export type OidcOutcome =
  | {
      readonly kind: "known";
      readonly identity: Identity;
      readonly name: string;
      readonly to: string;
    }
  /** Nobody is let in so. @property detail for a person, without a full stop. */
  | { readonly kind: "refused"; readonly detail: string }
  /** The provider can't be asked, or does not keep to the protocol. */
  | { readonly kind: "failed"; readonly cause: unknown };

/** What a browser keeps of its own way, until it is back. */
const Way = z.strictObject({
  state: z.string().min(20).max(200),
  nonce: z.string().min(20).max(200),
  verifier: z.string().min(40).max(200),
  to: z.string().max(1000),
  beganMs: z.number(),
});

export const WAY_SECONDS = 600;
const TIMEOUT_MS = 15_000;
const MAX_BYTES = 1024 * 1024;
/** For so long what the provider says of itself is taken as known. */
const KNOWN_MS = 3_600_000;
const MAX_NAME = 100;
const MAX_SUB = 255;
const AGAIN = "log in once more";

type Client = typeof import("openid-client");

/** Lets people in whom the operator's provider of OpenID Connect knows: authorization code, PKCE, state and nonce. */
export class OidcLogin {
  readonly #deps: OidcLoginDeps;
  #known: { readonly configuration: Promise<Configuration>; readonly untilMs: number } | null =
    null;

  constructor(deps: OidcLoginDeps) {
    this.#deps = deps;
  }

  get settings(): OidcSettings {
    return this.#deps.settings;
  }

  /** For people, to recognise it by. */
  get provider(): string {
    return new URL(this.#deps.settings.issuer).host;
  }

  /**
   * @param to where on the farm one goes on to.
   * @returns where to send the browser, and what it is to keep meanwhile.
   * @throws CreameryError and others, where the provider can't be asked.
   */
  async begin(redirectUri: string, to: string): Promise<{ url: string; way: string }> {
    const client = await import("openid-client");
    const configuration = await this.#configuration(client);
    const way: z.infer<typeof Way> = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      to: to.length > 1000 ? "/" : to,
      beganMs: this.#deps.nowMs(),
    };
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#deps.settings.scopes.join(" "),
      state: way.state,
      nonce: way.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(way.verifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, way: Buffer.from(JSON.stringify(way)).toString("base64url") };
  }

  /**
   * @param back where the provider sent the browser, with its query. @param kept what the browser kept; undefined for nothing.
   */
  async finish(back: URL, kept: string | undefined): Promise<OidcOutcome> {
    const way = readWay(kept);
    if (way === null)
      return refused(`this browser did not begin to log in here, or is through with it: ${AGAIN}`);
    if (this.#deps.nowMs() - way.beganMs >= WAY_SECONDS * 1000)
      return refused(`that took longer than ${WAY_SECONDS / 60} minutes: ${AGAIN}`);
    if (back.searchParams.get("state") !== way.state)
      return refused(`what came back is no answer to what this browser asked: ${AGAIN}`);
    const client = await import("openid-client");
    try {
      const configuration = await this.#configuration(client);
      const tokens = await client.authorizationCodeGrant(configuration, back, {
        pkceCodeVerifier: way.verifier,
        expectedState: way.state,
        expectedNonce: way.nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) return refused("the provider does not say who you are");
      if (claims.sub.length > MAX_SUB) return refused("the provider calls you by too long a name");
      // Many say address and groups here alone.
      const info =
        configuration.serverMetadata().userinfo_endpoint === undefined
          ? {}
          : await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
      return { ...identityOf(this.#deps.settings, claims, info), to: way.to };
    } catch (thrown) {
      return outcomeOf(client, thrown);
    }
  }

  #configuration(client: Client): Promise<Configuration> {
    const nowMs = this.#deps.nowMs();
    if (this.#known !== null && this.#known.untilMs > nowMs) return this.#known.configuration;
    const configuration = this.#discover(client);
    this.#known = { configuration, untilMs: nowMs + KNOWN_MS };
    // Where this one can't be asked, the next who comes asks anew.
    configuration.catch(() => {
      this.#known = null;
    });
    return configuration;
  }

  async #discover(client: Client): Promise<Configuration> {
    const { settings, secret } = this.#deps;
    const { issuer, clientId } = settings;
    try {
      return await client.discovery(
        new URL(issuer),
        clientId,
        secret === null ? undefined : secret.reveal(),
        authentication(client, secret),
        {
          [client.customFetch]: await this.#fetch(),
          timeout: TIMEOUT_MS / 1000,
          // Who somebody is stands under the provider's signature, besides having come from it.
          execute: [client.enableNonRepudiationChecks],
        },
      );
    } catch (thrown) {
      throw faultIn(thrown) ?? thrown;
    }
  }

  /** Every address that the provider names is checked as it is connected to, and nothing is followed elsewhere. */
  async #fetch(): Promise<CustomFetch> {
    const { allow, authorities } = this.#deps;
    const ca = await authorities();
    return async (url, { headers, body, signal }) => {
      if (body !== undefined && body !== null && !isText(body))
        throw new CreameryError("internal", "is no form to be sent");
      const answer = await guardedFetch(url, {
        signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
        follow: false,
        headers,
        allow,
        ...(body === undefined || body === null ? {} : { body: String(body) }),
        ...(ca === undefined ? {} : { ca }),
      });
      const { status } = answer;
      const told = new Headers({ ...answer.headers });
      return new Response(status === 204 || status === 304 ? null : new Uint8Array(answer.body), {
        status,
        headers: told,
      });
    };
  }
}

/** As the provider takes it: `Basic` unless it says otherwise (OpenID Connect Discovery 1.0, 3). */
function authentication(client: Client, secret: Secret | null): ReturnType<Client["None"]> {
  if (secret === null) return client.None();
  const basic = client.ClientSecretBasic(secret.reveal());
  const post = client.ClientSecretPost(secret.reveal());
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported;
    const isBasic = methods === undefined || methods.includes("client_secret_basic");
    (isBasic ? basic : post)(server, ...rest);
  };
}

function isText(body: unknown): body is string | URLSearchParams {
  return typeof body === "string" || body instanceof URLSearchParams;
}

function readWay(kept: string | undefined): z.infer<typeof Way> | null {
  if (kept === undefined) return null;
  try {
    return Way.parse(JSON.parse(Buffer.from(kept, "base64url").toString("utf8")));
  } catch {
    return null;
  }
}

const Said = z.looseObject({
  email: z.string().max(320).optional().catch(undefined),
  email_verified: z.boolean().optional().catch(undefined),
  name: z.string().optional().catch(undefined),
  preferred_username: z.string().optional().catch(undefined),
});

function identityOf(
  settings: OidcSettings,
  claims: IDToken,
  info: Partial<UserInfoResponse>,
): { readonly kind: "known"; readonly identity: Identity; readonly name: string } {
  const { sub, iss } = claims;
  // An address and whether it is theirs are of one and the same answer.
  const said = [Said.parse(claims), Said.parse(info)];
  const email = said.find((one) => one.email_verified === true && one.email !== undefined)?.email;
  const named = namedGroups(settings);
  const groups = [claims, info].flatMap((one) => groupsIn(one, settings.groupsClaim));
  const called = said.flatMap((one) => one.name ?? one.preferred_username ?? []);
  const name = clip(
    printableLine(called.find((text) => text.trim() !== "") ?? email ?? sub),
    MAX_NAME,
  );
  return {
    kind: "known",
    identity: {
      issuer: iss,
      sub,
      email: email?.toLowerCase() ?? null,
      groups: [...new Set(groups.filter((group) => named.has(group)))],
    },
    name,
  };
}

function groupsIn(said: Readonly<Record<string, unknown>>, claim: string): readonly string[] {
  const groups = z.array(z.string()).safeParse(Object.hasOwn(said, claim) ? said[claim] : []);
  return groups.success ? groups.data : [];
}

function outcomeOf(client: Client, thrown: unknown): OidcOutcome {
  // An address that is refused, a network that is down: nothing that somebody who logs in could do.
  const fault = faultIn(thrown);
  if (fault !== null) return { kind: "failed", cause: fault };
  if (thrown instanceof client.AuthorizationResponseError)
    return refused(`the provider did not let you in (${word(thrown.error)}): ${AGAIN}`);
  if (thrown instanceof client.ResponseBodyError)
    return thrown.error === "invalid_grant"
      ? refused(`that way in was used before, or is too old: ${AGAIN}`)
      : { kind: "failed", cause: thrown };
  if (thrown instanceof client.ClientError)
    return refused(`what the provider says can't be trusted (${word(reasonOf(thrown))}): ${AGAIN}`);
  return { kind: "failed", cause: thrown };
}

function faultIn(thrown: unknown): CreameryError | null {
  for (let at = thrown, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++)
    if (at instanceof CreameryError) return at;
  return null;
}

function word(text: string): string {
  return clip(printableLine(text), 100);
}

function refused(detail: string): OidcOutcome {
  return { kind: "refused", detail };
}
