import { createHmac } from "node:crypto";

import { Secret } from "../../base/secret.ts";
import type { HookSecret } from "../../model/config/webhooks-table.ts";
import type { Delivery, Forge, PushedReference } from "./delivery.ts";

/** Deliveries in the form of each forge's public documentation, shortened to what tells one event from another. */

export const SECRET = "It's-a-Secret-to-Everybody";
/** In base64, as Standard Webhooks has it. */
export const SIGNING_SECRET = `whsec_${Buffer.from("twenty-four random bytes").toString("base64")}`;
export const HOST = "git.example";
export const NOW_MS = Date.parse("2026-11-24T10:00:00Z");
export const COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

const BEFORE = "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5";
const TAG_OBJECT = "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7";
const ZEROS = "0".repeat(40);

export interface SampleDelivery {
  readonly title: string;
  readonly forge: Forge;
  /** All but those that show who sent it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly sign: (body: Buffer) => Readonly<Record<string, string>>;
  readonly kind: Delivery["kind"];
  readonly references: readonly PushedReference[];
}

export function hookSecret(text: string, host: string = HOST): HookSecret {
  return { secret: new Secret(text), host };
}

/** Both, as while one takes the place of the other. */
export const SECRETS: readonly HookSecret[] = [hookSecret(SECRET), hookSecret(SIGNING_SECRET)];

export function hexOf(body: Buffer | string, secret: string = SECRET): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

/** A sample's headers with those that sign a body, its own unless told. */
export function signedHeaders(
  { headers, sign, body }: SampleDelivery,
  sent: Buffer = Buffer.from(body),
): Headers {
  return new Headers({ ...headers, ...sign(sent) });
}

const main = { name: "main", kind: "branch", commit: COMMIT, deleted: false } as const;
const v1 = { name: "v1.0.0", kind: "tag", commit: COMMIT, deleted: false } as const;
const noTopic = { name: "topic", kind: "branch", commit: null, deleted: true } as const;
const noV1 = { name: "v1.0.0", kind: "tag", commit: null, deleted: true } as const;

interface Sent {
  readonly what: string;
  readonly event: string;
  readonly payload: object;
  readonly kind?: Delivery["kind"];
  readonly references?: readonly PushedReference[];
  readonly form?: true;
}

const contentType = (form: boolean): string =>
  form ? "application/x-www-form-urlencoded" : "application/json";

/** JSON, or a form with the JSON in its field `payload`. */
const bodyOf = ({ payload, form }: Sent): string =>
  form === true
    ? new URLSearchParams({ payload: JSON.stringify(payload) }).toString()
    : JSON.stringify(payload);

const outcome = ({
  kind = "push",
  references = [],
}: Sent): Pick<SampleDelivery, "kind" | "references"> => ({ kind, references });

// GitHub: webhook-events-and-payloads, validating-webhook-deliveries.

const github = (sent: Sent): SampleDelivery => ({
  title: `GitHub: ${sent.what}`,
  forge: "github",
  headers: {
    "content-type": contentType(sent.form === true),
    "user-agent": "GitHub-Hookshot/044aadd",
    "x-github-event": sent.event,
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "x-github-hook-id": "292430182",
  },
  body: bodyOf(sent),
  sign: (body) => ({
    "x-hub-signature": "sha1=7d38cdd689735b008b3c702edd92eea23791c5f6",
    "x-hub-signature-256": `sha256=${hexOf(body)}`,
  }),
  ...outcome(sent),
});

const githubPush = {
  ref: "refs/heads/main",
  before: BEFORE,
  after: COMMIT,
  repository: {
    id: 1_296_269,
    name: "Hello",
    full_name: "Octo/Hello",
    html_url: "https://git.example/Octo/Hello",
    clone_url: "https://git.example/Octo/Hello.git",
    created_at: 1_557_933_565,
    pushed_at: NOW_MS / 1000 - 2,
    default_branch: "main",
  },
  pusher: { name: "octo", email: "octo@octo.example" },
  created: false,
  deleted: false,
  forced: false,
  base_ref: null,
  commits: [{ id: COMMIT, message: "é, 漢 & more + 100%", timestamp: "2026-11-24T09:59:00Z" }],
  head_commit: { id: COMMIT, tree_id: BEFORE, message: "é, 漢 & more + 100%" },
};

const GITHUB: readonly SampleDelivery[] = [
  github({ what: "branch", event: "push", payload: githubPush, references: [main] }),
  github({
    what: "branch, form",
    event: "push",
    payload: githubPush,
    references: [main],
    form: true,
  }),
  github({
    what: "annotated tag",
    event: "push",
    payload: {
      ...githubPush,
      ref: "refs/tags/v1.0.0",
      before: ZEROS,
      after: TAG_OBJECT,
      created: true,
    },
    references: [v1],
  }),
  github({
    what: "deleted branch",
    event: "push",
    payload: {
      ...githubPush,
      ref: "refs/heads/topic",
      after: ZEROS,
      deleted: true,
      commits: [],
      head_commit: null,
    },
    references: [noTopic],
  }),
  github({
    what: "ping",
    event: "ping",
    payload: {
      zen: "Keep it logically awesome.",
      hook_id: 292_430_182,
      hook: { type: "Repository" },
    },
    kind: "ping",
  }),
  github({
    what: "issue",
    event: "issues",
    payload: { action: "opened", issue: { number: 1 } },
    kind: "ignored",
  }),
];

// GitLab: webhook_events.

const gitlab = (sent: Sent, signing: boolean): SampleDelivery => {
  const id = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f";
  const timestamp = String(NOW_MS / 1000 - 2);
  return {
    title: `GitLab: ${sent.what}${signing ? ", signed" : ", token"}`,
    forge: "gitlab",
    headers: {
      "content-type": "application/json",
      "user-agent": "GitLab/18.9.0-pre",
      "idempotency-key": id,
      "x-gitlab-instance": "https://git.example",
      "x-gitlab-webhook-uuid": "02affd2d-2cba-4033-917d-ec22d5dc4b38",
      "x-gitlab-event": sent.event,
      "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e",
    },
    body: bodyOf(sent),
    sign: (body): Readonly<Record<string, string>> =>
      signing
        ? {
            "webhook-id": id,
            "webhook-timestamp": timestamp,
            "webhook-signature": `v1,${createHmac(
              "sha256",
              Buffer.from(SIGNING_SECRET.slice("whsec_".length), "base64"),
            )
              .update(`${id}.${timestamp}.`)
              .update(body)
              .digest("base64")}`,
          }
        : { "x-gitlab-token": SECRET },
    ...outcome(sent),
  };
};

const gitlabPush = {
  object_kind: "push",
  event_name: "push",
  before: BEFORE,
  after: COMMIT,
  ref: "refs/heads/main",
  ref_protected: true,
  checkout_sha: COMMIT,
  user_username: "octo",
  project_id: 15,
  project: {
    id: 15,
    name: "Hello",
    web_url: "https://git.example/octo/hello",
    git_ssh_url: "git@git.example:octo/hello.git",
    git_http_url: "https://git.example/octo/hello.git",
    path_with_namespace: "octo/hello",
    default_branch: "main",
  },
  commits: [{ id: COMMIT, message: "é, 漢\n", timestamp: "2026-11-24T09:59:00+00:00" }],
  total_commits_count: 1,
};

const GITLAB: readonly SampleDelivery[] = [true, false].flatMap((signing) => [
  gitlab({ what: "branch", event: "Push Hook", payload: gitlabPush, references: [main] }, signing),
  gitlab(
    {
      what: "annotated tag",
      event: "Tag Push Hook",
      payload: {
        ...gitlabPush,
        object_kind: "tag_push",
        event_name: "tag_push",
        ref: "refs/tags/v1.0.0",
        before: ZEROS,
        after: TAG_OBJECT,
      },
      references: [v1],
    },
    signing,
  ),
  gitlab(
    {
      what: "deleted branch",
      event: "Push Hook",
      payload: {
        ...gitlabPush,
        ref: "refs/heads/topic",
        after: ZEROS,
        checkout_sha: null,
        commits: [],
      },
      references: [noTopic],
    },
    signing,
  ),
  gitlab(
    {
      what: "issue",
      event: "Issue Hook",
      payload: { object_kind: "issue", event_type: "issue" },
      kind: "ignored",
    },
    signing,
  ),
]);

// Bitbucket Cloud and Data Center: event-payloads, event-payload-938025882.

const bitbucket = (sent: Sent): SampleDelivery => ({
  title: `Bitbucket: ${sent.what}`,
  forge: "bitbucket",
  headers: {
    "content-type": "application/json; charset=utf-8",
    "user-agent": "Bitbucket-Webhooks/2.0",
    "x-event-key": sent.event,
    "x-hook-uuid": "{1ebb2c0e-5b14-4a2c-a2b8-0c1ae6e5b7f2}",
    "x-request-uuid": "29a2a3c4-4f0d-4f4e-a7b2-6a7c2b9a5f11",
    "x-request-id": "c3cf9bd4-8e37-4d9c-a9ad-fe9ff6b4a8ad",
    "x-attempt-number": "1",
  },
  body: bodyOf(sent),
  sign: (body) => ({ "x-hub-signature": `sha256=${hexOf(body)}` }),
  ...outcome(sent),
});

const cloudReference = (type: string, name: string): object => ({
  type,
  name,
  target: { type: "commit", hash: COMMIT, date: "2026-11-24T09:59:00+00:00" },
});

const cloudPush = (changes: readonly object[]): object => ({
  actor: { type: "user", nickname: "octo" },
  repository: {
    type: "repository",
    full_name: "octo/hello",
    links: { html: { href: "https://git.example/octo/hello" } },
    scm: "git",
    is_private: false,
  },
  push: { changes },
});

const serverPush = (changes: readonly object[], links?: object): object => ({
  eventKey: "repo:refs_changed",
  date: "2026-11-24T20:59:58+1100",
  actor: { name: "admin", id: 1 },
  repository: {
    slug: "hello",
    id: 84,
    scmId: "git",
    project: { key: "OCTO", id: 84, name: "octo" },
    public: false,
    ...(links === undefined ? {} : { links }),
  },
  changes,
});

const serverChange = (type: string, id: string, toHash: string): object => ({
  ref: {
    id,
    displayId: id.split("/").at(-1),
    type: id.startsWith("refs/tags/") ? "TAG" : "BRANCH",
  },
  refId: id,
  fromHash: type === "ADD" ? ZEROS : BEFORE,
  toHash,
  type,
});

const BITBUCKET: readonly SampleDelivery[] = [
  bitbucket({
    what: "Cloud, branch, tag and deleted branch in one push",
    event: "repo:push",
    payload: cloudPush([
      {
        new: cloudReference("branch", "main"),
        old: cloudReference("branch", "main"),
        forced: false,
      },
      { new: cloudReference("tag", "v1.0.0"), old: null, created: true },
      { new: null, old: cloudReference("branch", "topic"), closed: true },
    ]),
    references: [main, v1, noTopic],
  }),
  bitbucket({
    what: "Cloud, pull request",
    event: "pullrequest:created",
    payload: { pullrequest: { id: 1 } },
    kind: "ignored",
  }),
  bitbucket({
    what: "Data Center, branch, tag and deleted branch in one push",
    event: "repo:refs_changed",
    payload: serverPush([
      serverChange("UPDATE", "refs/heads/main", COMMIT),
      serverChange("ADD", "refs/tags/v1.0.0", COMMIT),
      serverChange("DELETE", "refs/heads/topic", ZEROS),
    ]),
    references: [main, v1, noTopic],
  }),
  bitbucket({
    what: "Data Center, with links",
    event: "repo:refs_changed",
    payload: serverPush([serverChange("UPDATE", "refs/heads/main", COMMIT)], {
      self: [{ href: "https://git.example/projects/OCTO/repos/hello/browse" }],
    }),
    references: [main],
  }),
  bitbucket({
    what: "Data Center, ping",
    event: "diagnostics:ping",
    payload: { test: true },
    kind: "ping",
  }),
];

// Gitea and Forgejo: usage/repository/webhooks, user/webhooks.

const gitea = (forge: "gitea" | "forgejo", sent: Sent): SampleDelivery => {
  const id = "f6266f16-1bf3-46a5-9ea4-602e06ead473";
  const names = forge === "gitea" ? ["gitea", "gogs"] : ["forgejo", "gitea", "gogs"];
  const json = Buffer.from(JSON.stringify(sent.payload));
  return {
    title: `${forge === "gitea" ? "Gitea" : "Forgejo"}: ${sent.what}`,
    forge,
    headers: {
      "content-type": contentType(sent.form === true),
      "x-github-delivery": id,
      "x-github-event": sent.event,
      ...Object.fromEntries(
        names.flatMap((name) => [
          [`x-${name}-delivery`, id],
          [`x-${name}-event`, sent.event],
          [`x-${name}-event-type`, sent.event],
        ]),
      ),
    },
    body: bodyOf(sent),
    sign: (body) => {
      // Of a form it is the payload that is signed, not the body.
      const digest = hexOf(sent.form === true ? json : body);
      return {
        ...Object.fromEntries(names.map((name) => [`x-${name}-signature`, digest])),
        "x-hub-signature": `sha1=7d38cdd689735b008b3c702edd92eea23791c5f6`,
        "x-hub-signature-256": `sha256=${digest}`,
      };
    },
    ...outcome(sent),
  };
};

const giteaRepository = {
  id: 140,
  owner: { id: 1, login: "octo" },
  name: "hello",
  full_name: "octo/hello",
  html_url: "https://git.example/octo/hello",
  ssh_url: "ssh://git@git.example/octo/hello.git",
  clone_url: "https://git.example/octo/hello.git",
  default_branch: "main",
  updated_at: "2026-11-24T09:59:58Z",
};

const giteaPush = {
  ref: "refs/heads/main",
  before: BEFORE,
  after: COMMIT,
  compare_url: "https://git.example/octo/hello/compare/a...b",
  commits: [{ id: COMMIT, message: "é, 漢 & more + 100%" }],
  total_commits: 1,
  head_commit: { id: COMMIT, message: "é, 漢 & more + 100%" },
  repository: giteaRepository,
  pusher: { id: 1, login: "octo" },
};

const GITEA: readonly SampleDelivery[] = (["gitea", "forgejo"] as const).flatMap((forge) => [
  gitea(forge, { what: "branch", event: "push", payload: giteaPush, references: [main] }),
  gitea(forge, {
    what: "branch, form",
    event: "push",
    payload: giteaPush,
    references: [main],
    form: true,
  }),
  gitea(forge, {
    what: "annotated tag",
    event: "push",
    payload: { ...giteaPush, ref: "refs/tags/v1.0.0", before: ZEROS, after: TAG_OBJECT },
    references: [v1],
  }),
  gitea(forge, {
    what: "deleted tag",
    event: "delete",
    payload: { ref: "v1.0.0", ref_type: "tag", pusher_type: "user", repository: giteaRepository },
    references: [noV1],
  }),
  gitea(forge, {
    what: "created branch, which a push tells too",
    event: "create",
    payload: { ref: "main", ref_type: "branch", sha: COMMIT, repository: giteaRepository },
    kind: "ignored",
  }),
]);

// Ours: docs/webhooks.md.

const generic = (
  what: string,
  type: string | null,
  body: string,
  references: readonly PushedReference[],
): SampleDelivery => ({
  title: `generic: ${what}`,
  forge: "generic",
  headers: {
    "user-agent": "curl/8.14.1",
    ...(type === null ? {} : { "content-type": type }),
    "idempotency-key": "build-7",
  },
  body,
  sign: () => ({ authorization: `Bearer ${SECRET}` }),
  kind: "push",
  references,
});

const GENERIC: readonly SampleDelivery[] = [
  generic("nothing but the address", null, "", [
    { name: "HEAD", kind: "branch", commit: null, deleted: false },
  ]),
  generic("form", contentType(true), `ref=main&commit=${COMMIT}`, [main]),
  generic("tag, form", contentType(true), "ref=refs%2Ftags%2Fv1.0.0", [{ ...v1, commit: null }]),
  generic(
    "JSON",
    "application/json",
    JSON.stringify({
      repository: "https://git.example/octo/hello.git",
      ref: "refs/heads/main",
      commit: COMMIT,
    }),
    [main],
  ),
];

export const SAMPLES: readonly SampleDelivery[] = [
  ...GITHUB,
  ...GITLAB,
  ...BITBUCKET,
  ...GITEA,
  ...GENERIC,
];

/** One by its title. */
export function sampleDelivery(title: string): SampleDelivery {
  const sample = SAMPLES.find((candidate) => candidate.title === title);
  if (sample === undefined) throw new Error(`there is no sample ${title}`);
  return sample;
}
