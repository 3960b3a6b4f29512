import { createHash } from "node:crypto";

import { parseHttpsUrl } from "../../base/guarded-fetch.ts";
import { CreameryError } from "../../base/errors.ts";

const MAX_CHARS = 500;
const MAX_SEGMENTS = 20;

/**
 * One address for each way to write it: host in lower case, no standard port, no slash at the end. With and without `.git` are
 * two: nothing says that they are one repository.
 * @throws CreameryError `address-refused` (no https, credentials), `usage` (no address of a repository).
 */
export function normaliseRepositoryUrl(text: string): string {
  const url = parseHttpsUrl(text);
  const path = url.pathname.replace(/\/+$/u, "");
  // An IPv6 address has brackets.
  const host = url.hostname.replace(/^\[[0-9a-f:.]+\]$/u, "literal");
  const segments = path.split("/").slice(1);
  const isPath =
    segments.length > 0 &&
    segments.length <= MAX_SEGMENTS &&
    segments.every((segment) => /^(?:[\w.~+!$'()*,;:=-]|%[0-9a-f]{2})+$/iu.test(segment));
  if (
    !isPath ||
    !isHostName(host) ||
    url.search !== "" ||
    url.hash !== "" ||
    text.length > MAX_CHARS
  )
    throw new CreameryError("usage", "is no address of a repository", {
      input: `${url.protocol}//${url.host}`,
      nextStep: "write https://host/repository",
    });
  return `https://${url.host}${path}`;
}

/** Whether it means a host to git's curl and nothing else: what begins with `-` or `+`, or is `*`, tells it to resolve anew. */
export function isHostName(host: string): boolean {
  return /^[a-z0-9_][a-z0-9_.-]*$/iu.test(host);
}

/** What its mirror is called on disk: something a person recognises, and a hash of the whole address. */
export function mirrorName(url: string): string {
  const last = url.split("/").at(-1) ?? "";
  const shown = last.replace(/\.git$/u, "").replaceAll(/[^\w-]/gu, "-");
  const hash = createHash("sha256").update(url).digest("hex").slice(0, 32);
  return `${shown.slice(0, 40)}-${hash}.git`;
}
