const MAX_CHARS = 2000;
const NOWHERE = "https://farm.invalid";
/** Where somebody who has just logged in, or out, would only be sent on from. */
const WAYS_IN = /^\/(?:login|logout)(?:\/|$)/u;

/**
 * Where on this farm a text leads, for whoever is sent there: what browsers would take for another host is nowhere. They drop
 * tabs and line ends, take `\` for `/`, and what `..` leads past; so it is resolved as they do it, and looked at again.
 * @returns path, query and fragment; null for what is no path of ours.
 */
export function localPath(text: string | undefined): string | null {
  if (text === undefined || text.length > MAX_CHARS || !/^\/[\x21-\x7e]*$/u.test(text)) return null;
  if (text.includes("\\")) return null;
  const url = URL.parse(text, NOWHERE);
  if (url === null || url.origin !== NOWHERE || url.pathname.startsWith("//")) return null;
  if (WAYS_IN.test(url.pathname)) return null;
  return `${url.pathname}${url.search}${url.hash}`;
}
