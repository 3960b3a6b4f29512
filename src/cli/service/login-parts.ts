import { CreameryError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { oidcSettings, scopesOfText, type OidcSettings } from "../../model/config/login-table.ts";
import type { Principals } from "../../model/principals.ts";
import type { Database } from "../../store/database.ts";
import { SqlSessions } from "../../store/sql/sql-sessions.ts";
import { OidcLogin } from "../../web/login/oidc-login.ts";
import { SessionBook } from "../../web/login/session-book.ts";
import { TokenCheck } from "../../web/token-check.ts";
import type { Host } from "../farm/open-host.ts";

const MAX_SECRET_BYTES = 16_384;

/** Who logs in, and how: what pages and the API find out by who asks. */
export interface LoginParts {
  /** One for all doors: who fails at one has failed at the others. */
  readonly tokens: TokenCheck;
  readonly sessions: SessionBook;
  readonly oidc: OidcLogin | null;
}

/** @throws CreameryError `configuration-file` for a secret that can't be read, and names nothing of it. */
export async function loginParts(
  host: Pick<Host, "config" | "authorities">,
  database: Database,
  principals: Principals,
  launcher: Pick<LauncherClient, "request">,
): Promise<LoginParts> {
  const nowMs = Date.now;
  const settings = oidcSettings(host.config.login);
  return {
    tokens: new TokenCheck({ principals, nowMs }),
    sessions: new SessionBook({
      sessions: new SqlSessions(database),
      principals,
      scopesOf: (who) => (settings === null ? null : scopesOfText(settings, who)),
      nowMs,
    }),
    oidc:
      settings === null
        ? null
        : new OidcLogin({
            settings,
            secret: await readSecret(settings, launcher),
            allow: host.config.allowedAddresses,
            authorities: host.authorities,
            nowMs,
          }),
  };
}

async function readSecret(
  { clientSecretFile: path }: OidcSettings,
  launcher: Pick<LauncherClient, "request">,
): Promise<Secret | null> {
  if (path === null) return null;
  const wrong = (reason: string, cause?: unknown) =>
    new CreameryError("configuration-file", reason, {
      input: path,
      nextStep: "write the secret into the file and nothing else; see docs/configuration.md",
      cause,
    });
  const { text } = await launcher
    .request({ kind: "read-user-text", path, maxBytes: MAX_SECRET_BYTES })
    .catch((cause: unknown) => {
      throw cause instanceof CreameryError ? wrong(cause.message, cause) : cause;
    });
  const secret = text.trim();
  if (!/^[\x21-\x7e]+$/u.test(secret)) throw wrong("is no secret of visible characters");
  return new Secret(secret);
}
