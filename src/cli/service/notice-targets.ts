import { CreameryError } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import type { ProjectNotices } from "../../model/config/notify-table.ts";
import type { Outgoing } from "../../notify/ask.ts";
import { GithubTarget } from "../../notify/github/github-target.ts";
import { GitlabTarget } from "../../notify/gitlab/gitlab-target.ts";
import type { AttemptUrl, NoticeTarget } from "../../notify/notice-target.ts";
import { WebhookTarget } from "../../notify/webhook/webhook-target.ts";

export interface NoticeTargetsOptions {
  readonly projects: readonly ProjectNotices[];
  readonly outgoing: Outgoing;
  readonly urlOf: AttemptUrl;
  readonly launcher: Pick<LauncherClient, "request">;
}

const MAX_SECRET_BYTES = 16_384;
/** As of the webhooks that the farm is sent. */
const LEAST_CHARS = 16;

/**
 * Where the notices of each project go, as the operator's table says. Every secret is read once, so that a mistake is told when the farm
 * starts, and again each time that something is sent: who changes one need not start the farm anew.
 * @throws CreameryError `configuration-file` that names the file and nothing that stands in it.
 */
export async function noticeTargets(
  options: NoticeTargetsOptions,
): Promise<readonly NoticeTarget[]> {
  const { projects, outgoing, urlOf } = options;
  const targets: NoticeTarget[] = [];
  const reading = async (path: string, isPem = false) => {
    const read = () => readSecret(path, isPem, options.launcher);
    await read();
    return read;
  };
  for (const { project, webhook, github, gitlab } of projects) {
    const common = { project, outgoing, urlOf };
    if (webhook !== null) {
      const secret = await reading(webhook.secretFile);
      targets.push(new WebhookTarget({ ...common, url: webhook.url, secret }));
    }
    if (github !== null) {
      const { credentials } = github;
      const secret = await (credentials.kind === "token"
        ? reading(credentials.file)
        : reading(credentials.keyFile, true));
      targets.push(new GithubTarget({ ...common, notices: github, secret }));
    }
    if (gitlab !== null) {
      const token = await reading(gitlab.tokenFile);
      targets.push(new GitlabTarget({ ...common, notices: gitlab, token }));
    }
  }
  return targets;
}

async function readSecret(
  path: string,
  isPem: boolean,
  launcher: Pick<LauncherClient, "request">,
): Promise<Secret> {
  const { text } = await launcher
    .request({ kind: "read-user-text", path, maxBytes: MAX_SECRET_BYTES })
    .catch((cause: unknown) => {
      if (!(cause instanceof CreameryError)) throw cause;
      throw new CreameryError("configuration-file", cause.message, {
        input: path,
        nextStep: "see docs/notifications.md",
        cause,
      });
    });
  const secret = text.trim();
  const isGood = isPem
    ? secret.startsWith("-----BEGIN ")
    : secret.length >= LEAST_CHARS && /^[\x21-\x7e]+$/u.test(secret);
  if (!isGood)
    throw new CreameryError(
      "configuration-file",
      isPem ? "holds no private key" : `is no secret of at least ${LEAST_CHARS} visible characters`,
      {
        input: path,
        nextStep: "write it into the file and nothing else; see docs/notifications.md",
      },
    );
  return new Secret(secret);
}
