import { createPrivateKey, sign } from "node:crypto";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { ask, type Answer, type Later, type Outgoing } from "../ask.ts";

/** What every request to GitHub's REST API says. */
export function githubHeaders(secret: Secret): Readonly<Record<string, string>> {
  return {
    accept: "application/vnd.github+json",
    authorization: `Bearer ${secret.reveal()}`,
    "x-github-api-version": "2022-11-28",
  };
}

/** Of one repository. */
export interface GithubRepository {
  /** Without a slash at its end. */
  readonly api: string;
  readonly owner: string;
  readonly name: string;
}

/** A token, or why there is none now. */
export type TokenAnswer =
  | { readonly kind: "token"; readonly token: Secret }
  | Later
  /** GitHub said no, to what this secret asked. */
  | { readonly kind: "failed"; readonly answer: Answer; readonly secret: Secret };

export interface AppOptions extends GithubRepository {
  readonly appId: string;
  /** PEM. */
  readonly key: () => Promise<Secret>;
  readonly permission: "checks" | "statuses";
  readonly outgoing: Outgoing;
}

const Installation = z.object({ id: z.number().int() });
const AccessToken = z.object({ token: z.string().min(1), expires_at: z.iso.datetime() });

/** Clocks differ: `iat` lies a little back, `exp` within the ten minutes that are allowed. */
const JWT_BACK_S = 60;
const JWT_FOR_S = 540;
/** A token is good for an hour. */
const SPARE_MS = 5 * 60_000;

/**
 * Tokens of an app's installation in one repository, for what it has to do there and nothing else
 * (https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app).
 */
export class AppTokens {
  readonly #options: AppOptions;
  #kept: { readonly token: Secret; readonly untilMs: number } | null = null;

  constructor(options: AppOptions) {
    this.#options = options;
  }

  /** @throws CreameryError `configuration-file` for a key that is none. */
  async token(nowMs: number, signal: AbortSignal): Promise<TokenAnswer> {
    if (this.#kept !== null && nowMs < this.#kept.untilMs)
      return { kind: "token", token: this.#kept.token };
    const { api, owner, name, appId, permission, outgoing } = this.#options;
    const jwt = signJwt(appId, await this.#options.key(), nowMs);
    const headers = githubHeaders(jwt);
    const found = await ask(
      { url: `${api}/repos/${owner}/${name}/installation`, headers },
      outgoing,
      signal,
    );
    if (found.kind === "later") return found;
    const installation = parsed(Installation, found, 200);
    if (installation === null) return { kind: "failed", answer: found, secret: jwt };
    const given = await ask(
      {
        url: `${api}/app/installations/${installation.id}/access_tokens`,
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify({ repositories: [name], permissions: { [permission]: "write" } }),
      },
      outgoing,
      signal,
    );
    if (given.kind === "later") return given;
    const access = parsed(AccessToken, given, 201);
    // What is no token may hold one all the same.
    if (access === null) return { kind: "failed", answer: { ...given, text: "" }, secret: jwt };
    const token = new Secret(access.token);
    this.#kept = { token, untilMs: Date.parse(access.expires_at) - SPARE_MS };
    return { kind: "token", token };
  }

  /** After a token was not taken: the next is a new one. */
  forget(): void {
    this.#kept = null;
  }
}

function signJwt(appId: string, key: Secret, nowMs: number): Secret {
  const nowS = Math.floor(nowMs / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { iat: nowS - JWT_BACK_S, exp: nowS + JWT_FOR_S, iss: appId };
  const text = `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}`;
  try {
    const signature = sign("sha256", Buffer.from(text), createPrivateKey(key.reveal()));
    return new Secret(`${text}.${signature.toString("base64url")}`);
  } catch {
    // Not its cause: that may quote what it could not read.
    throw new CreameryError("configuration-file", "holds no private key", {
      input: "notify.github.key_file",
      nextStep: "write the app's private key into it, as GitHub gave it (PEM)",
    });
  }
}

function parsed<Value>(
  schema: z.ZodType<Value>,
  { status, text }: Answer,
  wanted: number,
): Value | null {
  if (status !== wanted) return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
