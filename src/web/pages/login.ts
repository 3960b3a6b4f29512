import type { Hono } from "hono";

import { ownSessionPage } from "../../pages/login/login-page.ts";
import { GO_ON_TO } from "../../pages/shell/deed-form.ts";
import { noCookie } from "../login/session-cookie.ts";
import { readForm, readOwnForm } from "./form-body.ts";
import { goOn } from "./go-on.ts";
import { logIn, sendLogin } from "./let-in.ts";
import { loginOidcRoutes } from "./login-oidc.ts";
import type { PagesDeps, PagesEnv } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

/** The way in and the way out, for who looks with a browser (docs/principals.md). */
export function loginRoutes(app: Hono<PagesEnv>, deps: PagesDeps): void {
  app.get("/login", async (context) => {
    const session = context.get("session");
    const principal = context.get("principal");
    if (session === null || principal.kind === "anonymous")
      return sendLogin(context, deps, context.req.query("to"), null);
    const { how, createdAtMs, expiresAtMs } = session;
    const { name, scopes, projects } = principal;
    const sessions = (await deps.sessions.ofPrincipal(principal.id)).length;
    const own = { name, scopes, projects, how, createdAtMs, expiresAtMs, sessions };
    return sendPage(context, ownSessionPage(own, context.get("page")));
  });

  app.post("/login", async (context) => {
    const fields = await readOwnForm(context, deps);
    const peer = context.get("peer");
    const checked = await deps.tokens.check((fields.get("token") ?? "").trim(), peer);
    if (checked.kind === "bad") {
      const { detail, waitSeconds } = checked;
      // 401 would have the browser ask for a name and a password.
      const status = checked.status === 401 ? 403 : checked.status;
      const answer = await sendLogin(context, deps, fields.get(GO_ON_TO), detail, status);
      if (waitSeconds !== null) answer.headers.set("retry-after", String(waitSeconds));
      return answer;
    }
    if (checked.principal.kind === "worker") {
      const detail = "this is a worker's token, and people have their own";
      return sendLogin(context, deps, fields.get(GO_ON_TO), detail, 403);
    }
    return logIn(context, deps, checked.principal, "token", null, fields);
  });

  app.post("/logout", async (context) => {
    const fields = await readForm(context, deps);
    const session = context.get("session");
    const isEverywhere = fields.get("everywhere") === "yes";
    if (session !== null && isEverywhere) await deps.sessions.endAllOf(session.principal);
    else if (session !== null) await deps.sessions.end(session);
    const what = isEverywhere ? "logged-out-everywhere" : "logged-out";
    const cookies = [noCookie("creamery", context.get("peer"))];
    return goOn(context, fields, { kind: "home" }, { what, count: 1 }, cookies);
  });

  loginOidcRoutes(app, deps);
}
