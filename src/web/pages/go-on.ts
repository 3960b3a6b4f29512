import { GO_ON_TO } from "../../pages/shell/deed-form.ts";
import type { Place } from "../../pages/shell/place.ts";
import { toldWord, type Told } from "../../pages/shell/told.ts";
import { localPath } from "../login/local-path.ts";
import { cookieText } from "../login/session-cookie.ts";
import type { PagesContext } from "./page-deps.ts";

const TOLD_SECONDS = 60;

/**
 * After something was done: to where the form says, as long as it is of this farm, else to a place; the page there tells it.
 * Who loads that page again does nothing again.
 */
export function goOn(
  context: PagesContext,
  fields: URLSearchParams,
  otherwise: Place,
  told: Told | null,
  cookies: readonly string[] = [],
): Response {
  const { site } = context.get("page");
  const location = localPath(fields.get(GO_ON_TO) ?? undefined) ?? site.href(otherwise) ?? "/";
  const headers = new Headers({ location, "cache-control": "no-store" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  if (told !== null)
    headers.append(
      "set-cookie",
      cookieText("creamery-told", toldWord(told), context.get("peer"), TOLD_SECONDS),
    );
  return new Response(null, { status: 303, headers });
}
