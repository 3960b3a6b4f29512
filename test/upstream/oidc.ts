import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

import { Provider } from "oidc-provider";

/** What the provider says of somebody, besides what they are called. */
export interface ProvidedPerson {
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly name?: string;
  readonly groups?: readonly string[];
}

export interface OidcServer extends AsyncDisposable {
  /** `https://127.0.0.1:PORT`, behind a certificate of its own. */
  readonly issuer: string;
  /** PEM of the authority behind it. */
  readonly ca: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** By what they type as their login, which is their `sub`. */
  readonly people: Map<string, ProvidedPerson>;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Answers in the provider's place, as one that lies would: null for no answer of its own. */
  lie: ((path: string) => unknown) | null;
  /**
   * What somebody does in a browser at the provider: logs in, and lets the farm know who they are.
   * @param url where the farm sent them. @returns where the provider sends them back to.
   */
  logIn(url: string, login: string): Promise<string>;
  /** The same for who changes their mind. */
  giveUp(url: string): Promise<string>;
}

/** A real provider of OpenID Connect on a free port. @param redirectUri the one that the farm's client may name. */
export async function startOidc(redirectUri: string): Promise<OidcServer> {
  const root = mkdtempSync(join(tmpdir(), "creamery-oidc-"));
  const [keyFile, certFile] = [join(root, "key.pem"), join(root, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const form = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...form, ...subject, "-keyout", keyFile, "-out", certFile], {
    stdio: "ignore",
  });
  const ca = readFileSync(certFile, "utf8");
  const people = new Map<string, ProvidedPerson>();
  const asked: string[] = [];
  let answer: ReturnType<Provider["callback"]> | null = null;
  const server = createServer({ key: readFileSync(keyFile), cert: ca }, (request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const lied = oidc.lie?.(path) ?? null;
    if (lied === null) answer?.(request, response);
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(lied));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const issuer = `https://127.0.0.1:${address.port}`;
  const [clientId, clientSecret] = ["creamery", "a-secret-of-the-farm-and-the-provider"];
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    cookies: { keys: ["a key of the provider's cookies"] },
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" }] },
    claims: { email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
    ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
    pkce: { required: () => true },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, ...people.get(sub) }),
    }),
  });
  answer = provider.callback();
  const oidc: OidcServer = {
    issuer,
    ca,
    clientId,
    clientSecret,
    people,
    asked,
    lie: null,
    logIn: async (url, login) => await new PersonsBrowser(ca, issuer).logIn(url, login),
    giveUp: async (url) => await new PersonsBrowser(ca, issuer).giveUp(url),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(root, { recursive: true, force: true });
    },
  };
  return oidc;
}

interface Shown {
  readonly location: string | null;
  readonly body: string;
}

/** As much of a browser as the provider's pages need. */
class PersonsBrowser {
  readonly #ca: string;
  readonly #issuer: string;
  readonly #cookies = new Map<string, string>();

  constructor(ca: string, issuer: string) {
    this.#ca = ca;
    this.#issuer = issuer;
  }

  async logIn(url: string, login: string): Promise<string> {
    let at = await this.#follow(url);
    // First who they are, then that the farm may know it.
    const steps: readonly Readonly<Record<string, string>>[] = [
      { prompt: "login", login, password: "any" },
      { prompt: "consent" },
    ];
    for (const fields of steps) {
      if (at.back !== null) break;
      at = await this.#follow(at.url, new URLSearchParams({ ...fields }).toString());
    }
    if (at.back === null) throw new Error(`the provider goes no further: ${at.url}`);
    return at.back;
  }

  async giveUp(url: string): Promise<string> {
    const at = await this.#follow(url);
    const { back } = await this.#follow(`${at.url}/abort`);
    if (back === null) throw new Error("the provider goes no further");
    return back;
  }

  /** Goes on until a page is shown, or leads away from the provider. */
  async #follow(url: string, body?: string): Promise<{ url: string; back: string | null }> {
    let at = url;
    let sent = body;
    for (let hop = 0; hop < 10; hop++) {
      const { location } = await this.#ask(at, sent);
      if (location === null) return { url: at, back: null };
      sent = undefined;
      at = new URL(location, at).href;
      if (!at.startsWith(`${this.#issuer}/`)) return { url: at, back: at };
    }
    throw new Error("redirects without end");
  }

  async #ask(url: string, body: string | undefined): Promise<Shown> {
    const headers = {
      cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; "),
      ...(body === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
    };
    return await new Promise((resolve, reject) => {
      const method = body === undefined ? "GET" : "POST";
      const outgoing = httpsRequest(url, { method, headers, ca: this.#ca }, (incoming) => {
        for (const cookie of incoming.headers["set-cookie"] ?? []) {
          const [, name = "", value = ""] = /^([^=]+)=([^;]*)/u.exec(cookie) ?? [];
          this.#cookies.set(name, value);
        }
        const location = incoming.headers.location ?? null;
        text(incoming).then((shown) => resolve({ location, body: shown }), reject);
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }
}
