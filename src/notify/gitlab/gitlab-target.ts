import { z } from "zod";

import { clip } from "../../base/bounded-text.ts";
import { lineOfFault } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import type { ForgeNotices } from "../../model/config/notify-table.ts";
import { parseRetryAfter } from "../../watch/retry-later.ts";
import { ask, isRedirect, later, refused, unsaid, type Answer, type Outgoing } from "../ask.ts";
import { branchOf, commitSentenceOf, type CommitNotice } from "../change-notice.ts";
import type { AttemptUrl, Delivery, NoticeTarget, Sending } from "../notice-target.ts";

export interface GitlabOptions {
  readonly project: string;
  readonly notices: ForgeNotices;
  /** Read each time: who changes it need not start the farm anew. */
  readonly token: () => Promise<Secret>;
  readonly urlOf: AttemptUrl;
  readonly outgoing: Outgoing;
}

/** GitLab's own bounds of what a status says. */
const MAX_CHARS = 255;

/**
 * What came of commits as GitLab shows it: an external status of the commit's pipeline, of which the last of a name counts
 * (https://docs.gitlab.com/api/commits/#set-commit-pipeline-status).
 */
export class GitlabTarget implements NoticeTarget {
  readonly kind = "gitlab";
  readonly takes = "commit";
  readonly project: string;
  readonly host: string;
  readonly #options: GitlabOptions;
  readonly #api: string;

  constructor(options: GitlabOptions) {
    const { origin, apiUrl } = options.notices;
    this.#options = options;
    this.#api = apiUrl ?? `${origin}/api/v4`;
    this.project = options.project;
    this.host = new URL(this.#api).host;
  }

  async send({ notice, nowMs }: Sending, signal: AbortSignal): Promise<Delivery> {
    const { notices, urlOf, outgoing } = this.#options;
    if (notice.about !== "commit") return refused("a forge is told of commits");
    let token: Secret;
    try {
      token = await this.#options.token();
    } catch (thrown) {
      return later(lineOfFault(thrown));
    }
    const project = encodeURIComponent(notices.path);
    const url = `${this.#api}/projects/${project}/statuses/${notice.commit}`;
    const body = JSON.stringify(statusOf(notice, urlOf(notice.attempt)));
    const headers = {
      accept: "application/json",
      "content-type": "application/json",
      "private-token": token.reveal(),
    };
    const answer = await ask({ url, headers, body }, outgoing, signal);
    if (answer.kind === "later") return answer;
    return answer.status === 201 ? { kind: "delivered" } : failureOf(answer, token, nowMs);
  }
}

function statusOf(notice: CommitNotice, page: string | null): object {
  const { line, configuration, outcome } = notice;
  return {
    state: outcome === "pass" ? "success" : "failed",
    name: clip(`creamery/${configuration}`, MAX_CHARS),
    description: clip(commitSentenceOf(notice), MAX_CHARS),
    ...(line.startsWith("refs/") ? { ref: branchOf(line) } : {}),
    ...(page === null || page.length > MAX_CHARS ? {} : { target_url: page }),
  };
}

/** Refused as it is: a commit that is not there, a state that it can't go to. Who may not, or not so often, may later. */
function failureOf(answer: Answer, token: Secret, nowMs: number): Delivery {
  const { status, headers, text } = answer;
  const said = unsaid(messageOf(text), token);
  const reason = `answered ${status}${said === "" ? "" : `: ${said}`}`;
  if (isRedirect(status))
    return later(`${reason}: it has moved; name where it is now as notify.gitlab.repository`);
  if (status === 400 || status === 422) return refused(reason);
  const afterMs = parseRetryAfter(headers["retry-after"], nowMs);
  return later(reason, { afterMs, isOfHost: status === 429 });
}

/** `{"message": "404 Project Not Found"}`, `{"message": {"state": ["is wrong"]}}`, `{"error": "…"}`. */
const Problem = z.object({ message: z.unknown().optional(), error: z.string().optional() });

function messageOf(text: string): string {
  try {
    const { message, error } = Problem.parse(JSON.parse(text));
    return typeof message === "string"
      ? message
      : message === undefined
        ? (error ?? "")
        : JSON.stringify(message);
  } catch {
    return "";
  }
}
