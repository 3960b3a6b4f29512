import { CreameryError } from "../../base/errors.ts";
import type { Refused } from "./git-catalogue.ts";
import { normaliseRepositoryUrl } from "./repository-address.ts";

const HOST = /^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?$/iu;
/** `host:owner`, of the short form of an ssh address. */
const SHORT = /^([a-z0-9-]+(?:\.[a-z0-9-]+)*):([^:]+)$/iu;

/**
 * The repository that a path names, `HOST/PATH`. ssh's short form (`git@host:owner/repository`) comes as `host:owner/repository`,
 * and means the same repository by https.
 * @param segments decoded.
 */
export function servedAddress(
  segments: readonly string[],
): { readonly kind: "address"; readonly url: string } | Refused {
  const [first = "", ...rest] = segments;
  if (first.includes("@"))
    return { kind: "refused", status: 403, why: "addresses with credentials are not served" };
  const [, host, owner] = HOST.test(first) ? [] : (SHORT.exec(first) ?? []);
  const [at, path] = host === undefined ? [first, rest] : [host, [owner ?? "", ...rest]];
  // A segment that could not be decoded is a zero byte.
  if (!HOST.test(at) || path.some((segment) => segment.includes("\0")))
    return { kind: "refused", status: 404, why: "no repository can have this address" };
  const written = path.map((segment) => encodeURIComponent(segment).replaceAll("%2B", "+"));
  try {
    const url = normaliseRepositoryUrl(`https://${at}/${written.join("/")}`);
    return { kind: "address", url };
  } catch (thrown) {
    if (!(thrown instanceof CreameryError)) throw thrown;
    return { kind: "refused", status: 404, why: "no repository can have this address" };
  }
}
