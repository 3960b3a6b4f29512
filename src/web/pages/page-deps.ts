import type { Context } from "hono";

import type { KeptLogs } from "../../pages/log/kept-logs.ts";
import type { PageContext } from "../../pages/shell/page.ts";
import type { ApiDeps } from "../api/api-deps.ts";
import type { Authenticated } from "../authenticate.ts";

/** What pages are made from: what the API answers from, and what takes too long to be made anew each time. */
export interface PagesDeps extends ApiDeps {
  /** `https://farm.example`, as the operator says it; null where nobody did. */
  readonly publicUrl: string | null;
  /** Logs of attempts, unpacked. */
  readonly logs: KeptLogs;
}

/** What stands in the context of each request for a page. */
export interface PagesEnv {
  readonly Variables: Authenticated["Variables"] & { readonly page: PageContext };
}

export type PagesContext = Context<PagesEnv>;
