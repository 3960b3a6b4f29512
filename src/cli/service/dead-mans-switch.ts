import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

import { authoritiesWith } from "../../base/authorities.ts";
import { CreameryError, reasonOf } from "../../base/errors.ts";

export interface DeadMansSwitchOptions {
  /** The operator's own: http or https, private addresses too. What stands in its path is often a secret. */
  readonly url: string;
  readonly everyMs: number;
  /** Why the farm does not do its work now; null while it does. */
  readonly trouble: () => Promise<string | null>;
  /** PEM text trusted besides what this process trusts. */
  readonly ca?: string | undefined;
  readonly onPing?: (isAnswered: boolean) => void;
  /** Told once when pings begin to fail, and with null when they are answered again. */
  readonly onFault: (reason: string | null) => void;
  /** Told once when the farm falls silent, and with null when it speaks again. */
  readonly onSilence: (reason: string | null) => void;
  readonly ping?: (url: string, signal: AbortSignal) => Promise<void>;
  readonly pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const PING_MS = 10_000;
const MAX_ANSWER_BYTES = 64 << 10;

/**
 * Asks an address for as long as all is well: who hears nothing knows that the farm is down, or does not do its work, whatever
 * keeps it from saying so.
 */
export async function runDeadMansSwitch(
  options: DeadMansSwitchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { url, everyMs, trouble, onFault, onSilence } = options;
  const ping = options.ping ?? ((to, ends) => pingOnce(to, options.ca, ends));
  const pause =
    options.pause ?? ((ms, ends) => sleep(ms, undefined, { signal: ends }).catch(() => undefined));
  let fails = false;
  let silent = false;
  while (!signal.aborted) {
    const reason = await trouble().catch(reasonOf);
    if ((reason !== null) !== silent) onSilence(reason);
    silent = reason !== null;
    if (reason === null)
      try {
        await ping(url, AbortSignal.any([signal, AbortSignal.timeout(PING_MS)]));
        options.onPing?.(true);
        if (fails) onFault(null);
        fails = false;
      } catch (thrown) {
        if (signal.aborted) return;
        options.onPing?.(false);
        if (!fails) onFault(reasonOf(thrown));
        fails = true;
      }
    await pause(everyMs, signal);
  }
}

/** One GET, no redirect followed, the answer thrown away. @throws CreameryError `upstream`, `no-network`, `deadline`. */
export function pingOnce(url: string, ca: string | undefined, signal: AbortSignal): Promise<void> {
  const to = new URL(url);
  // Its path and query may be all that keeps others from pinging in the farm's name.
  const input = to.host;
  const request = to.protocol === "http:" ? requestHttp : requestHttps;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void =>
      reject(
        signal.aborted
          ? new CreameryError("deadline", `gave no answer in ${PING_MS / 1000} s`, { input })
          : new CreameryError("no-network", `could not be asked: ${reasonOf(cause)}`, {
              input,
              cause,
            }),
      );
    const outgoing = request(
      to,
      {
        signal,
        agent: false,
        headers: { "user-agent": "creamery" },
        ...(ca === undefined ? {} : { ca: authoritiesWith(ca) }),
      },
      (incoming) => {
        let size = 0;
        incoming.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES) incoming.destroy(new Error("its answer is too large"));
        });
        incoming.on("error", fail);
        incoming.on("end", () => {
          const { statusCode = 0 } = incoming;
          if (statusCode >= 200 && statusCode < 300) resolve();
          else reject(new CreameryError("upstream", `answered ${statusCode}`, { input }));
        });
      },
    );
    outgoing.on("error", fail);
    outgoing.end();
  });
}
