import type { Context } from "hono";

import type { Channel } from "../../image/channel-names.ts";
import type { KeptLogs } from "../../pages/log/kept-logs.ts";
import type { PageContext } from "../../pages/shell/page.ts";
import type { ApiDeps } from "../api/api-deps.ts";
import type { Authenticated } from "../authenticate.ts";
import type { OidcLogin } from "../login/oidc-login.ts";
import type { SessionBook } from "../login/session-book.ts";
import type { TokenCheck } from "../token-check.ts";

/** What pages are made from: what the API answers from, who logs in, and what takes too long to be made anew each time. */
export interface PagesDeps extends ApiDeps {
  /** `https://farm.example`, as the operator says it; null where nobody did. */
  readonly publicUrl: string | null;
  /** Logs of attempts, unpacked. */
  readonly logs: KeptLogs;
  /** The very one that the API asks: who fails at one door has failed at the other. */
  readonly tokens: TokenCheck;
  readonly sessions: SessionBook;
  /** The operator's provider of OpenID Connect; null where there is none. */
  readonly oidc: OidcLogin | null;
  /** By which it is measured what is dear to read, and kept for a while; by default the process's. */
  readonly elapsedMs?: () => number;
  /** @throws CreameryError `unknown-image`, `usage`. */
  promoteImage(channel: Channel, imageId: string): Promise<void>;
}

/** What stands in the context of each request for a page. */
export interface PagesEnv {
  readonly Variables: Authenticated["Variables"] & {
    readonly page: PageContext;
    /** Of what on the page was read before, and given again: in how many ms there is something newer; 0 where all is fresh. */
    readonly newer: { inMs: number };
  };
}

export type PagesContext = Context<PagesEnv>;

/** For a `KeptReading` of a page: who follows the farm's events asks again for what is older than an event. */
export function noteKept(context: PagesContext): (newerInMs: number) => void {
  const newer = context.get("newer");
  return (newerInMs) => {
    newer.inMs = Math.max(newer.inMs, newerInMs);
  };
}
