import { join } from "node:path";

import { Hono } from "hono";

import { KeptLogs } from "../../pages/log/kept-logs.ts";
import { authenticate, type Authenticated } from "../authenticate.ts";
import { FailedTries } from "../failed-tries.ts";
import { sampleFarm, type SampleFarm } from "../api/farm.sample.ts";
import type { PagesDeps } from "./page-deps.ts";
import { pagesApp } from "./pages-app.ts";

/** A farm's pages and its API over a real store, for tests. */
export interface SampleSite extends AsyncDisposable {
  readonly farm: SampleFarm;
  readonly logs: KeptLogs;
  /** Pages, and the API below `/api/v1`. */
  readonly app: Hono<Authenticated>;
  /** @param path from the root. @param init `as` a token's header. */
  get(path: string, init?: RequestInit & { readonly as?: string }): Promise<Response>;
  /** The text of a page that is there. */
  text(path: string, as?: string): Promise<string>;
}

export async function sampleSite(
  change: Parameters<typeof sampleFarm>[0] & { readonly pages?: Partial<PagesDeps> } = {},
): Promise<SampleSite> {
  const farm = await sampleFarm(change);
  const logs = new KeptLogs({ bucket: farm.bucket, directory: join(farm.directory, "logs") });
  const deps: PagesDeps = {
    ...farm.deps,
    publicUrl: "https://farm.example",
    logs,
    ...change.pages,
  };
  const app = new Hono<Authenticated>();
  app.route("/", farm.app);
  app.route(
    "/",
    pagesApp(
      deps,
      authenticate({
        principals: farm.principals,
        peer: () => ({ address: "127.0.0.1", encrypted: false }),
        nowMs: () => farm.nowMs,
        failedTries: new FailedTries({ tries: Infinity, windowMs: 1, addresses: 1 }),
      }),
    ),
  );
  const get: SampleSite["get"] = async (path, { as, ...init } = {}) => {
    const headers = new Headers(init.headers);
    if (as !== undefined) headers.set("authorization", as);
    return await app.request(path, { ...init, headers });
  };
  return {
    farm,
    logs,
    app,
    get,
    text: async (path, as) => {
      const answer = await get(path, as === undefined ? {} : { as });
      if (answer.status !== 200) throw new Error(`${path} is answered ${answer.status}`);
      return answer.text();
    },
    [Symbol.asyncDispose]: async () => {
      await logs[Symbol.asyncDispose]();
      await farm[Symbol.asyncDispose]();
    },
  };
}
