import { join } from "node:path";

import { Hono } from "hono";

import { KeptLogs } from "../../pages/log/kept-logs.ts";
import type { NewPrincipal, Scope } from "../../model/principals.ts";
import { scopesOfText } from "../../model/config/login-table.ts";
import { FORM_TOKEN } from "../../pages/shell/deed-form.ts";
import { sampleFarm, type SampleFarm } from "../api/farm.sample.ts";
import { authenticate, type Authenticated } from "../authenticate.ts";
import { FailedTries, type TryBounds } from "../failed-tries.ts";
import type { OidcLogin } from "../login/oidc-login.ts";
import { TokenCheck } from "../token-check.ts";
import type { PagesDeps } from "./page-deps.ts";
import { pagesApp } from "./pages-app.ts";

/** A farm's pages and its API over a real store, for tests. */
export interface SampleSite extends AsyncDisposable {
  readonly farm: SampleFarm;
  readonly logs: KeptLogs;
  /** Pages, and the API below `/api/v1`. */
  readonly app: Hono<Authenticated>;
  /** `CHANNEL ID` of each image that was promoted. */
  readonly promoted: string[];
  /** @param path from the root. @param init `as` a token's header. */
  get(path: string, init?: RequestInit & { readonly as?: string }): Promise<Response>;
  /** The text of a page that is there. */
  text(path: string, as?: string): Promise<string>;
  /** A browser that nobody is logged in with. */
  browser(): SampleBrowser;
  /** A browser that somebody with a new token has logged in with. */
  loggedIn(scopes: readonly Scope[], change?: Partial<NewPrincipal>): Promise<SampleBrowser>;
}

/** As much of a browser as forms need: it keeps cookies, and says that it comes of the farm's own pages. */
export interface SampleBrowser {
  readonly cookies: Map<string, string>;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** Sends a form with the token of a page's forms, unless it says otherwise. */
  post(
    path: string,
    fields?: Readonly<Record<string, string>>,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Response>;
  /** Of the forms on a page; empty where it has none. */
  formToken(path?: string): Promise<string>;
}

export async function sampleSite(
  change: Parameters<typeof sampleFarm>[0] & {
    readonly pages?: Partial<PagesDeps>;
    readonly oidc?: (nowMs: () => number) => OidcLogin;
    readonly tries?: TryBounds;
  } = {},
): Promise<SampleSite> {
  const nowMs = (): number => farm.nowMs;
  const oidc = change.oidc?.(nowMs) ?? null;
  const farm = await sampleFarm({
    ...change,
    ...(oidc === null ? {} : { scopesOf: (who: string) => scopesOfText(oidc.settings, who) }),
  });
  const { principals, book } = farm;
  const tokens = new TokenCheck({
    principals,
    nowMs,
    failedTries: new FailedTries(change.tries ?? { tries: Infinity, windowMs: 1, addresses: 1 }),
  });
  const logs = new KeptLogs({ bucket: farm.bucket, directory: join(farm.directory, "logs") });
  const promoted: string[] = [];
  const deps: PagesDeps = {
    ...farm.deps,
    publicUrl: "https://farm.example",
    logs,
    tokens,
    sessions: book,
    oidc,
    // A page shows what is in the store, however slowly it was read.
    elapsedMs: () => 0,
    promoteImage: async (channel, id) => void promoted.push(`${channel} ${id}`),
    ...change.pages,
  };
  const app = new Hono<Authenticated>();
  app.route("/", farm.app);
  app.route(
    "/",
    pagesApp(
      deps,
      authenticate({
        principals,
        peer: () => farm.peer,
        nowMs,
        tokens,
        sessions: { book, methods: "all" },
      }),
    ),
  );
  const get: SampleSite["get"] = async (path, { as, ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (as !== undefined) headers.set("authorization", as);
    return await app.request(path, { ...init, headers });
  };
  return {
    farm,
    logs,
    app,
    promoted,
    get,
    text: async (path, as) => {
      const answer = await get(path, as === undefined ? {} : { as });
      if (answer.status !== 200) throw new Error(`${path} is answered ${answer.status}`);
      return answer.text();
    },
    browser: () => browserOf(app),
    loggedIn: async (scopes, more) => {
      const browser = browserOf(app);
      const token = (await farm.token(scopes, more)).replace("Bearer ", "");
      const answer = await browser.post("/login", { token, [FORM_TOKEN]: "" });
      if (answer.status !== 303) throw new Error(`/login is answered ${answer.status}`);
      browser.cookies.delete("creamery-told");
      return browser;
    },
    [Symbol.asyncDispose]: async () => {
      await logs[Symbol.asyncDispose]();
      await farm[Symbol.asyncDispose]();
    },
  };
}

function browserOf(app: Hono<Authenticated>): SampleBrowser {
  const cookies = new Map<string, string>();
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (cookies.size > 0)
      headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const answer = await app.request(path, { ...init, headers });
    for (const text of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/u.exec(text) ?? [];
      if (text.includes("Max-Age=0")) cookies.delete(name);
      else cookies.set(name, value);
    }
    return answer;
  };
  const browser: SampleBrowser = {
    cookies,
    get: (path, headers = {}) => send(path, { headers: { ...headers } }),
    post: async (path, fields = {}, headers = {}) => {
      const token = fields[FORM_TOKEN] ?? (await browser.formToken());
      return send(path, {
        method: "POST",
        body: new URLSearchParams({ ...fields, [FORM_TOKEN]: token }).toString(),
        headers: {
          "content-type": "application/x-www-form-urlencoded",
          "sec-fetch-site": "same-origin",
          ...headers,
        },
      });
    },
    formToken: async (path = "/login") => {
      const text = await (await browser.get(path)).text();
      return new RegExp(`name="${FORM_TOKEN}" value="([^"]+)"`, "u").exec(text)?.[1] ?? "";
    },
  };
  return browser;
}
