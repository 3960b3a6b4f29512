import { Secret } from "../../base/secret.ts";

/** An address as it may be shown, and what was hidden in it. */
export interface SplitUrl {
  /** Without user, password and fragment. */
  readonly url: string;
  /** The header's value, `Basic ...`. */
  readonly authorization: Secret | null;
}

/** Takes the credentials out of an address. @throws TypeError when it is no URL. */
export function splitUrl(text: string): SplitUrl {
  const url = new URL(text);
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  url.username = "";
  url.password = "";
  url.hash = "";
  return {
    url: url.href,
    authorization: user === "" && password === "" ? null : basic(user, password),
  };
}

export function basic(user: string, password: string): Secret {
  return new Secret(`Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`);
}

/** An address for records and messages: no credentials, no query (signed addresses carry theirs there), no fragment. */
export function shownUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) return "an address that can't be read";
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Hides `user:password@` in any text of another program. */
export function withoutCredentials(text: string): string {
  return text.replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]*(?:@[^\s/@]*)*@/giu, "$1***@");
}
