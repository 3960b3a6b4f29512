import { spawn } from "node:child_process";

import { clip } from "../../base/bounded-text.ts";
import { reasonOf } from "../../base/errors.ts";
import type { Finding } from "./finding.ts";

const PIP_MS = 20_000;
const REACH_MS = 15_000;
const NEXT_STEP =
  "check the network and `python3 -m pip config list`; creamery.toml can name another index";

// pip's own option parser knows its files, its environment and its own default; nothing of that is repeated here.
const ASK_PIP = `
from pip._internal.commands import create_command
print(create_command("download").parse_args(["x"])[0].index_url)
`;

/** Pythons of this host, the one a person would use first; the unprivileged user may not reach that one. */
const PYTHONS = ["python3", "/usr/bin/python3"] as const;

/** The index that this host's pip is configured for, or why pip does not say. Credentials included: never show it. */
async function askPip(signal: AbortSignal): Promise<URL> {
  const reasons: string[] = [];
  for (const python of PYTHONS) {
    try {
      return new URL((await outputOf(python, ["-c", ASK_PIP], signal)).trim());
    } catch (thrown) {
      reasons.push(reasonOf(thrown));
    }
  }
  throw new Error(`pip does not say which index it uses (${clip(reasons.join("; "), 200)})`);
}

async function outputOf(command: string, argv: string[], signal: AbortSignal): Promise<string> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(PIP_MS)]);
  const child = spawn(command, argv, {
    stdio: ["ignore", "pipe", "ignore"],
    cwd: "/",
    signal: deadline,
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on("error", reject);
  child.on("close", resolve);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output = clip(output + chunk, 10_000);
  });
  const code = await promise;
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
  return output;
}

/** An address as it may be shown: a user name can be a token, so both parts of the credentials go. */
export function maskCredentials(address: URL): string {
  if (address.username === "" && address.password === "") return address.href;
  const masked = new URL(address);
  masked.username = "***";
  masked.password = "";
  return masked.href;
}

/** The index's page of one project that every index of Python packages has or can say it has not. */
export async function reachIndex(index: URL, signal: AbortSignal): Promise<Finding> {
  const shown = maskCredentials(index);
  const page = new URL("pip/", index.href.endsWith("/") ? index : `${index.href}/`);
  const headers: Record<string, string> = {
    accept: "application/vnd.pypi.simple.v1+json, text/html;q=0.5",
  };
  if (page.username !== "" || page.password !== "") {
    const pair = `${decodeURIComponent(page.username)}:${decodeURIComponent(page.password)}`;
    headers["authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
    page.username = "";
    page.password = "";
  }
  const began = performance.now();
  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]);
    const answer = await fetch(page, { headers, signal: deadline });
    await answer.body?.cancel();
    const ms = Math.round(performance.now() - began);
    // An index that lacks this one project answers 404: it is there all the same.
    return answer.ok || answer.status === 404
      ? { name: "index", state: "ok", detail: `${shown} answers in ${ms} ms` }
      : {
          name: "index",
          state: "lacks",
          detail: `${shown} answers ${answer.status}`,
          nextStep: NEXT_STEP,
        };
  } catch (thrown) {
    const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown;
    return {
      name: "index",
      state: "lacks",
      detail: `${shown} cannot be reached: ${clip(reasonOf(cause), 200)}`,
      nextStep: NEXT_STEP,
    };
  }
}

/** The upstream index, found through pip, and whether it answers. */
export async function indexFinding(signal: AbortSignal): Promise<Finding> {
  try {
    return await reachIndex(await askPip(signal), signal);
  } catch (thrown) {
    signal.throwIfAborted();
    return { name: "index", state: "lacks", detail: reasonOf(thrown), nextStep: NEXT_STEP };
  }
}
