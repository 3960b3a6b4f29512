import { z } from "zod";

import { clip } from "../../base/bounded-text.ts";
import { lineOfFault } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import type { GithubNotices } from "../../model/config/notify-table.ts";
import { ask, later, refused, type Outgoing } from "../ask.ts";
import { commitSentenceOf, type CommitNotice } from "../change-notice.ts";
import type { AttemptUrl, Delivery, NoticeTarget, Sending } from "../notice-target.ts";
import { githubFailure } from "./github-answer.ts";
import {
  AppTokens,
  githubHeaders,
  type GithubRepository,
  type TokenAnswer,
} from "./github-token.ts";

export interface GithubOptions {
  readonly project: string;
  readonly notices: GithubNotices;
  /** A token, or an app's key: what the file holds that `notices` names. Read each time. */
  readonly secret: () => Promise<Secret>;
  readonly urlOf: AttemptUrl;
  readonly outgoing: Outgoing;
}

const MAX_DESCRIPTION_CHARS = 140;
const UNAUTHORIZED = 401;

/**
 * What came of commits as GitHub shows it: a commit status
 * (https://docs.github.com/en/rest/commits/statuses#create-a-commit-status), of which the last of a context counts, or a check run
 * (https://docs.github.com/en/rest/checks/runs#create-a-check-run), of which the last of a name counts.
 */
export class GithubTarget implements NoticeTarget {
  readonly kind = "github";
  readonly takes = "commit";
  readonly project: string;
  readonly host: string;
  readonly #options: GithubOptions;
  readonly #repository: GithubRepository;
  readonly #app: AppTokens | null;

  constructor(options: GithubOptions) {
    const { notices, outgoing, secret } = options;
    const [owner = "", name = ""] = notices.path.split("/").map(encodeURIComponent);
    this.#options = options;
    this.project = options.project;
    this.#repository = { api: githubApi(notices), owner, name };
    this.host = new URL(this.#repository.api).host;
    const { credentials } = notices;
    this.#app =
      credentials.kind === "token"
        ? null
        : new AppTokens({
            ...this.#repository,
            appId: credentials.id,
            key: secret,
            permission: notices.kind === "check" ? "checks" : "statuses",
            outgoing,
          });
  }

  async send(sending: Sending, signal: AbortSignal): Promise<Delivery> {
    const { notice, nowMs } = sending;
    if (notice.about !== "commit") return refused("a forge is told of commits");
    let given: TokenAnswer;
    try {
      given =
        this.#app === null
          ? { kind: "token", token: await this.#options.secret() }
          : await this.#app.token(nowMs, signal);
    } catch (thrown) {
      return later(lineOfFault(thrown));
    }
    switch (given.kind) {
      case "later":
        return given;
      case "failed":
        return softened(githubFailure(given.answer, given.secret, nowMs));
      case "token":
        return await this.#post(sending, notice, given.token, signal);
    }
  }

  async #post(
    { id, isRepeat, nowMs }: Sending,
    notice: CommitNotice,
    token: Secret,
    signal: AbortSignal,
  ): Promise<Delivery> {
    const { notices, urlOf, outgoing } = this.#options;
    const { api, owner, name } = this.#repository;
    const repository = `${api}/repos/${owner}/${name}`;
    const headers = githubHeaders(token);
    const isCheck = notices.kind === "check";
    if (isCheck && isRepeat) {
      const query = `check_name=${encodeURIComponent(labelOf(notice))}&filter=all&per_page=100`;
      const url = `${repository}/commits/${notice.commit}/check-runs?${query}`;
      const there = await ask({ url, headers }, outgoing, signal);
      if (there.kind === "later") return there;
      if (hasRun(there.text, id)) return { kind: "delivered" };
    }
    const url = isCheck ? `${repository}/check-runs` : `${repository}/statuses/${notice.commit}`;
    const page = urlOf(notice.attempt);
    const body = JSON.stringify(isCheck ? checkOf(id, notice, page) : statusOf(notice, page));
    const answer = await ask(
      { url, headers: { ...headers, "content-type": "application/json" }, body },
      outgoing,
      signal,
    );
    if (answer.kind === "later") return answer;
    if (answer.status === 201) return { kind: "delivered" };
    if (answer.status === UNAUTHORIZED) this.#app?.forget();
    return githubFailure(answer, token, nowMs);
  }
}

/** The public GitHub's API has a host of its own, and so has that of a company's part of it; a GitHub Enterprise Server's has a path. */
export function githubApi({ origin, apiUrl }: Pick<GithubNotices, "origin" | "apiUrl">): string {
  if (apiUrl !== null) return apiUrl;
  const { protocol, host } = new URL(origin);
  return host === "github.com" || host.endsWith(".ghe.com")
    ? `${protocol}//api.${host}`
    : `${origin}/api/v3`;
}

/** Context of a status, name of a check: one for each configuration. */
function labelOf({ configuration }: CommitNotice): string {
  return `creamery/${configuration}`;
}

function statusOf(notice: CommitNotice, page: string | null): object {
  return {
    state: notice.outcome === "pass" ? "success" : "failure",
    context: labelOf(notice),
    description: clip(commitSentenceOf(notice), MAX_DESCRIPTION_CHARS),
    ...(page === null ? {} : { target_url: page }),
  };
}

function checkOf(id: string, notice: CommitNotice, page: string | null): object {
  const sentence = commitSentenceOf(notice);
  const { configuration, attempt } = notice;
  return {
    name: labelOf(notice),
    head_sha: notice.commit,
    external_id: id,
    status: "completed",
    conclusion: notice.outcome === "pass" ? "success" : "failure",
    started_at: new Date(notice.startedMs).toISOString(),
    completed_at: new Date(notice.endedMs).toISOString(),
    output: {
      title: clip(sentence, MAX_DESCRIPTION_CHARS),
      // Markdown, which package's words must not become.
      summary: fenced(`${configuration}: ${sentence}\nattempt ${attempt}`),
    },
    ...(page === null ? {} : { details_url: page }),
  };
}

function fenced(text: string): string {
  return `\`\`\`text\n${text.replaceAll("`", "'")}\n\`\`\``;
}

const Runs = z.object({ check_runs: z.array(z.object({ external_id: z.string().nullish() })) });

function hasRun(text: string, id: string): boolean {
  try {
    const runs = Runs.safeParse(JSON.parse(text)).data?.check_runs ?? [];
    return runs.some((run) => run.external_id === id);
  } catch {
    return false;
  }
}

/** That there is no token says nothing of the notice. */
function softened(delivery: Delivery): Delivery {
  return delivery.kind === "refused" ? later(delivery.reason) : delivery;
}
