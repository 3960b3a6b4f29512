import { createWriteStream } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { CreameryError, diskFullFault, reasonOf } from "../../base/errors.ts";
import { withoutAddresses } from "./said.ts";
import type { BringContext } from "./types.ts";

const DEADLINE_MS = 15 * 60_000;
const IDLE_MS = 60_000;
const MAX_BYTES = 1_000_000_000;
const MAX_REDIRECTS = 5;
const AGAIN = "check the network, then `./creamery image build --force`";

/**
 * Fetches what a definition names, by the host's own proxies (`https_proxy` and its like). Its hash is for the caller to check.
 * @param path must not be there yet.
 * @throws CreameryError `no-network`, `upstream`, `deadline`, `disk-full`; the signal's reason when aborted.
 */
export async function fetchFile(
  url: string,
  path: string,
  { env, progress, signal }: Pick<BringContext, "env" | "progress" | "signal">,
  limits: { readonly maxBytes?: number; readonly deadlineMs?: number } = {},
): Promise<void> {
  const { maxBytes = MAX_BYTES, deadlineMs = DEADLINE_MS } = limits;
  progress.say("interpreters", new URL(url).pathname.split("/").at(-1) ?? "archive");
  const deadline = AbortSignal.timeout(deadlineMs);
  const either = AbortSignal.any([signal, deadline]);
  try {
    const answer = await follow(new URL(url), env, either);
    let size = 0;
    const bounded = new Transform({
      transform(chunk: Buffer, _, done) {
        size += chunk.length;
        if (size <= maxBytes) done(null, chunk);
        else done(tooLarge(url, maxBytes));
      },
    });
    await pipeline(answer, bounded, createWriteStream(path, { flags: "wx" }), { signal: either });
    if (!answer.complete) throw new Error("the answer was cut short");
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof CreameryError) throw thrown;
    if (deadline.aborted)
      throw new CreameryError("deadline", `did not come in ${deadlineMs / 1000} s`, {
        input: url,
        nextStep: AGAIN,
        cause: thrown,
      });
    const full = diskFullFault(thrown, path);
    if (full !== null) throw full;
    // Its words may be a proxy's address, with a password: neither they nor what was thrown go on into manifest or results.
    throw new CreameryError(
      "no-network",
      `can't be fetched: ${withoutAddresses(reasonOf(thrown))}`,
      {
        input: url,
        nextStep: AGAIN,
      },
    );
  }
}

function tooLarge(url: string, maxBytes: number): CreameryError {
  return new CreameryError("too-large", `is larger than ${maxBytes} bytes`, {
    input: url,
    nextStep: "name another archive in image.toml",
  });
}

async function follow(
  url: URL,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  let current = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    if (current.protocol !== "https:" && current.protocol !== "http:")
      throw new CreameryError("upstream", `leads to ${current.protocol}, which is not followed`, {
        input: url.href,
      });
    const answer = await ask(current, env, signal);
    const { statusCode = 0, headers } = answer;
    if (statusCode === 200) return answer;
    answer.destroy();
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined)
      throw new CreameryError("upstream", `answers ${statusCode}`, {
        input: url.href,
        nextStep: "name where it is now in image.toml, or try again later",
      });
    const next = URL.parse(headers.location, current.href);
    if (next === null)
      throw new CreameryError("upstream", "leads to what is no address", { input: url.href });
    current = next;
  }
  throw new CreameryError("upstream", "redirects without end", { input: url.href });
}

function ask(url: URL, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<http.IncomingMessage> {
  const { Agent, request } = url.protocol === "https:" ? https : http;
  const agent = new Agent({ keepAlive: false, proxyEnv: env });
  return new Promise((resolve, reject) => {
    const headers = { "user-agent": "creamery", "accept-encoding": "identity" };
    const asked = request(url, { agent, signal, headers, timeout: IDLE_MS }, resolve);
    asked.on("timeout", () => asked.destroy(new Error(`no byte came for ${IDLE_MS / 1000} s`)));
    asked.on("error", reject);
    asked.end();
  });
}
