import type { Principal } from "../../model/principals.ts";
import type { SessionWay } from "../../model/sessions.ts";
import { loginPage } from "../../pages/login/login-page.ts";
import { localPath } from "../login/local-path.ts";
import { isPrivateWay, sessionCookie } from "../login/session-cookie.ts";
import { goOn } from "./go-on.ts";
import type { PagesContext, PagesDeps } from "./page-deps.ts";
import { sendPage } from "./send-page.ts";

/** The way in, with what went wrong. Nothing that was typed comes back. */
export async function sendLogin(
  context: PagesContext,
  { oidc }: Pick<PagesDeps, "oidc">,
  to: string | null | undefined,
  wrong: string | null,
  status = 200,
): Promise<Response> {
  const facts = {
    to: localPath(to ?? undefined),
    wrong,
    isPrivateWay: isPrivateWay(context.get("peer")),
    provider: oidc?.provider ?? null,
  };
  return await sendPage(context, loginPage(facts, context.get("page")), status);
}

/** A session with an id of its own, whatever the browser was known by before: nobody can have made it ahead. */
export async function logIn(
  context: PagesContext,
  { sessions }: Pick<PagesDeps, "sessions">,
  principal: Principal,
  how: SessionWay,
  who: string | null,
  fields: URLSearchParams,
  cookies: readonly string[] = [],
): Promise<Response> {
  const before = context.get("session");
  if (before !== null) await sessions.end(before);
  const id = await sessions.begin(principal, how, who);
  const told = { what: "logged-in", count: 1 } as const;
  return goOn(context, fields, { kind: "home" }, told, [
    sessionCookie(id, context.get("peer")),
    ...cookies,
  ]);
}
