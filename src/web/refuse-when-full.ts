import type { MiddlewareHandler } from "hono";

import { problem } from "./problem.ts";

const AGAIN_SECONDS = 60;
/** What brings the farm something new to keep; results of what runs are taken as long as the disk holds them. */
const TAKES_IN = [
  ["POST", /^\/api\/v1\/jobs$/u],
  ["POST", /^\/queue\/add$/u],
  ["POST", /^\/hooks\//u],
  ["PUT", /^\/api\/v1\/worker\/(?:attempts\/[^/]+\/assets|sources)\//u],
] as const;

/** Refuses for a while what the farm's own disk may not hold. @param lack why it can't, for whoever asks; null where it can. */
export function refuseWhenFull(lack: () => string | null): MiddlewareHandler {
  return async (context, next) => {
    const { method, path } = context.req;
    if (TAKES_IN.some(([verb, pattern]) => verb === method && pattern.test(path))) {
      const reason = lack();
      if (reason !== null)
        return problem({
          status: 503,
          detail: `${reason}: the farm takes nothing more in until there is room; ask again later`,
          headers: { "retry-after": String(AGAIN_SECONDS) },
        });
    }
    await next();
    return undefined;
  };
}
