import { CreameryError, reasonOf } from "../../base/errors.ts";
import { shownUrl } from "../../index/upstream/secret.ts";
import { UpstreamClient } from "../../index/upstream/upstream-client.ts";
import {
  findUpstreams,
  type Transport,
  type Upstream,
  type UpstreamSettings,
} from "../../index/upstream/upstreams.ts";
import { knownCratesIndex } from "../farm/find-crates-index.ts";
import type { Finding } from "./finding.ts";

const REACH_MS = 15_000;
const NEXT_STEP =
  "check the network and `python3 -m pip config list`; creamery.toml can name another index";

export interface UpstreamQuestion {
  /** Of creamery.toml: win over what the host's own tools are configured for. */
  readonly settings: UpstreamSettings;
  /** `addresses.allow` of creamery.toml. */
  readonly allow: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The farm's own index files, where pip's and cargo's answers are kept. */
  readonly directory: string;
  /** The image that tests would use: its cargo may have been asked before. */
  readonly imageId: string | null;
  readonly signal: AbortSignal;
}

/** The indexes that attempts would be served from, found and asked as for attempts, and whether they answer. */
export async function upstreamFindings(question: UpstreamQuestion): Promise<Finding[]> {
  const { settings, allow, env, directory, signal } = question;
  try {
    const { indexes, transport } = await findUpstreams({
      settings,
      env,
      signal,
      cacheDir: directory,
      cratesIndex: null,
    });
    const main = indexes.at(-1);
    const reached = indexes.map((upstream) =>
      reachIndex(upstream === main ? "index" : "extra index", upstream, transport, allow, signal),
    );
    return [...(await Promise.all(reached)), ...(await cratesFindings(question))];
  } catch (thrown) {
    signal.throwIfAborted();
    const nextStep = thrown instanceof CreameryError ? thrown.nextStep : undefined;
    return [
      {
        name: "index",
        state: "lacks",
        detail: reasonOf(thrown),
        nextStep: nextStep ?? NEXT_STEP,
      },
    ];
  }
}

/** The index's page of one project that every index of Python packages has or can say it has not. */
export async function reachIndex(
  name: string,
  upstream: Upstream,
  transport: Transport,
  allow: readonly string[],
  signal: AbortSignal,
): Promise<Finding> {
  const shown = `${upstream.url}${upstream.authorization === null ? "" : " (with credentials)"}`;
  const client = new UpstreamClient(upstream, transport, allow);
  const began = performance.now();
  try {
    using answer = await client.request({
      url: `${upstream.url}pip/`,
      headers: { accept: "application/vnd.pypi.simple.v1+json, text/html;q=0.5" },
      signal: AbortSignal.any([signal, AbortSignal.timeout(REACH_MS)]),
    });
    const ms = Math.round(performance.now() - began);
    // An index that lacks this one project answers 404: it is there all the same.
    return answer.status === 200 || answer.status === 404
      ? { name, state: "ok", detail: `${shown} answers in ${ms} ms` }
      : {
          name,
          state: "lacks",
          detail: `${shown} answers ${answer.status}`,
          nextStep: NEXT_STEP,
        };
  } catch (thrown) {
    signal.throwIfAborted();
    return {
      name,
      state: "lacks",
      detail: `${shown}: ${reasonOf(thrown)}`,
      nextStep: NEXT_STEP,
    };
  } finally {
    client.close();
  }
}

/** Named where it is known; it is not asked, and whatever is wrong with it stops no Python package. */
async function cratesFindings(question: UpstreamQuestion): Promise<Finding[]> {
  const name = "crates index";
  try {
    const found = question.settings.crates ?? (await knownCratesIndex(question, question.imageId));
    return found === null
      ? []
      : [{ name, state: "note", detail: shownUrl(found.replace(/^sparse\+/u, "")) }];
  } catch (thrown) {
    question.signal.throwIfAborted();
    const { line } = thrown instanceof CreameryError ? thrown : { line: reasonOf(thrown) };
    return [{ name, state: "note", detail: line }];
  }
}
