import type { Hono } from "hono";

import { CreameryError } from "../../base/errors.ts";
import { GO_ON_TO } from "../../pages/shell/deed-form.ts";
import { Refused } from "../api/answers.ts";
import { localPath } from "../login/local-path.ts";
import { OidcPeople } from "../login/oidc-people.ts";
import { WAY_SECONDS, type OidcLogin } from "../login/oidc-login.ts";
import { ownOrigin } from "../login/same-origin.ts";
import { cookieText, isPrivateWay, noCookie, readCookie } from "../login/session-cookie.ts";
import { logIn, sendLogin } from "./let-in.ts";
import type { PagesContext, PagesDeps, PagesEnv } from "./page-deps.ts";

/** Where the provider sends browsers back to: to be told to it, from the farm's root. */
export const BACK = "/login/oidc/back";

/** To the operator's provider of OpenID Connect, and back. */
export function loginOidcRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  const { oidc } = deps;
  if (oidc === null) return;
  const people = new OidcPeople({
    settings: oidc.settings,
    principals: deps.principals,
    audit: deps.audit,
    newId: () => deps.newId(),
    nowMs: () => deps.nowMs(),
  });

  app.get("/login/oidc", async (context) => {
    const peer = context.get("peer");
    if (!isPrivateWay(peer)) return sendLogin(context, deps, context.req.query("to"), null, 403);
    const to = localPath(context.req.query("to")) ?? "/";
    try {
      const { url, way } = await oidc.begin(backOf(context, deps).href, to);
      const headers = new Headers({ location: url, "cache-control": "no-store" });
      headers.append("set-cookie", cookieText("creamery-oidc", way, peer, WAY_SECONDS));
      return new Response(null, { status: 303, headers });
    } catch (thrown) {
      return providerFailed(context, deps, thrown);
    }
  });

  app.get(BACK, async (context) => finish(context, deps, oidc, people));
}

async function finish(
  context: PagesContext,
  deps: PagesDeps,
  oidc: OidcLogin,
  people: OidcPeople,
): Promise<Response> {
  const peer = context.get("peer");
  const waitSeconds = deps.tokens.waitSeconds(peer);
  if (waitSeconds > 0)
    throw new Refused({
      status: 429,
      detail: "this address has failed to log in too often: wait a minute",
      headers: { "retry-after": String(waitSeconds) },
    });
  const back = backOf(context, deps);
  back.search = new URL(context.req.url).search;
  const kept = readCookie(context, "creamery-oidc", peer);
  const outcome = await oidc.finish(back, kept);
  // Good for one way, whatever came of it.
  const gone = noCookie("creamery-oidc", peer);
  switch (outcome.kind) {
    case "failed":
      return withCookie(await providerFailed(context, deps, outcome.cause), gone);
    case "refused": {
      // Who kept nothing guesses nothing: any site can have a browser ask for this address, and would lock its visitors out.
      if (kept !== undefined) deps.tokens.noteFailure(peer);
      return withCookie(await sendLogin(context, deps, null, outcome.detail, 403), gone);
    }
    case "known": {
      const principal = await people.arrive(outcome.identity, outcome.name, peer.address);
      if (principal === null)
        return withCookie(
          await sendLogin(context, deps, null, "the farm's operator has shut this login out", 403),
          gone,
        );
      const fields = new URLSearchParams({ [GO_ON_TO]: outcome.to });
      const who = JSON.stringify(outcome.identity);
      return logIn(context, deps, principal, "oidc", who, fields, [gone]);
    }
  }
}

function backOf(context: PagesContext, { publicUrl }: Pick<PagesDeps, "publicUrl">): URL {
  return new URL(BACK, publicUrl ?? ownOrigin(context));
}

function withCookie(answer: Response, cookie: string): Response {
  answer.headers.append("set-cookie", cookie);
  return answer;
}

/** Who logs in hears that it is not their fault, and the farm's log all the rest. */
async function providerFailed(
  context: PagesContext,
  deps: PagesDeps,
  thrown: unknown,
): Promise<Response> {
  deps.failed(thrown);
  const isKnown = thrown instanceof CreameryError && thrown.code === "deadline";
  const why = isKnown ? "does not answer in time" : "can't be asked at present";
  return await sendLogin(
    context,
    deps,
    context.req.query("to"),
    `the operator's provider ${why}: try again in a moment, or log in with a token`,
    502,
  );
}
