import { z } from "zod";

import { parseRepositoryName } from "../repository-name.ts";
import type { ConfiguredRepository } from "./webhooks-table.ts";

/** What a project's owners are told of, and where: `notify` of an operator's `[project.NAME]`; nobody is told of anything without it. */

const absolute = z
  .string()
  .max(4096)
  .refine((text) => text.startsWith("/"), "is no absolute path");

const https = (what: string) =>
  z
    .string()
    .max(2048)
    .refine((text) => isPlainHttps(text), `is no https address ${what}`);

const webhookUrl = z
  .string()
  .max(2048)
  .refine(
    (text) => isHttps(text) && URL.parse(text)?.hash === "",
    "is no https address without user, password and fragment",
  );

const apiUrl = https("of an API, without user, password and query").optional();

const repository = z
  .string()
  .max(1024)
  .refine(
    (text) => text.startsWith("https://") && parseRepositoryName(text) !== null,
    "is no https address of a repository, as https://git.example/owner/name (without user, password and query)",
  )
  .optional();

const GithubTable = z
  .strictObject({
    /** Where nothing is said, the project's own. */
    repository,
    token_file: absolute.optional(),
    /** An app of GitHub's, with its private key (PEM), in place of a token: nobody else may make check runs. */
    app_id: z.union([z.number().int().positive(), z.string().regex(/^[\w.-]{1,64}$/u)]).optional(),
    key_file: absolute.optional(),
    kind: z.enum(["status", "check"]).optional(),
    /** Where nothing is said, that of the repository's host. */
    api_url: apiUrl,
  })
  .refine(({ app_id: id, key_file: key }) => (id === undefined) === (key === undefined), {
    path: ["key_file"],
    message: "is needed with app_id, and only with it",
  })
  .refine(({ token_file: token, app_id: id }) => (token === undefined) !== (id === undefined), {
    path: ["token_file"],
    message: "is needed where there is no app_id, and only there",
  });

export const NotifyTable = z.strictObject({
  webhook: z
    .strictObject({
      url: webhookUrl,
      /** Holds what notices are signed with, and nothing else. */
      secret_file: absolute,
    })
    .optional(),
  github: GithubTable.optional(),
  gitlab: z.strictObject({ repository, token_file: absolute, api_url: apiUrl }).optional(),
});
export type NotifyTable = z.infer<typeof NotifyTable>;

/** What stands beside `notify` in the same table: which repository is meant where it names none. */
export function lacksRepository(
  notify: NotifyTable | undefined,
  own: string | undefined,
): "github" | "gitlab" | null {
  if (own !== undefined) return null;
  if (notify?.github !== undefined && notify.github.repository === undefined) return "github";
  if (notify?.gitlab !== undefined && notify.gitlab.repository === undefined) return "gitlab";
  return null;
}

/** A forge's repository, whose commits are told what came of them. */
export interface ForgeNotices {
  /** `https://git.example` */
  readonly origin: string;
  /** `owner/name`; of GitLab also longer. */
  readonly path: string;
  /** Without a slash at its end; null for that of the host. */
  readonly apiUrl: string | null;
}

export type GithubCredentials =
  | { readonly kind: "token"; readonly file: string }
  | { readonly kind: "app"; readonly id: string; readonly keyFile: string };

export interface GithubNotices extends ForgeNotices {
  readonly kind: "status" | "check";
  readonly credentials: GithubCredentials;
}

/** Where one project's notices go. */
export interface ProjectNotices {
  /** Normalised name. */
  readonly project: string;
  readonly webhook: { readonly url: string; readonly secretFile: string } | null;
  readonly github: GithubNotices | null;
  readonly gitlab: (ForgeNotices & { readonly tokenFile: string }) | null;
}

/** @returns null where nobody is to be told anything. */
export function projectNotices(
  project: string,
  { webhook, github, gitlab }: NotifyTable,
  own: ConfiguredRepository | null,
): ProjectNotices | null {
  const notices: ProjectNotices = {
    project,
    webhook: webhook === undefined ? null : { url: webhook.url, secretFile: webhook.secret_file },
    github:
      github === undefined
        ? null
        : {
            ...forgeOf(github, own),
            kind: github.kind ?? "status",
            credentials:
              github.token_file === undefined
                ? { kind: "app", id: String(github.app_id ?? ""), keyFile: github.key_file ?? "" }
                : { kind: "token", file: github.token_file },
          },
    gitlab: gitlab === undefined ? null : { ...forgeOf(gitlab, own), tokenFile: gitlab.token_file },
  };
  return notices.webhook === null && notices.github === null && notices.gitlab === null
    ? null
    : notices;
}

function forgeOf(
  table: { repository?: string | undefined; api_url?: string | undefined },
  own: ConfiguredRepository | null,
): ForgeNotices {
  const { origin, pathname } = new URL(table.repository ?? own?.url ?? "");
  return {
    origin,
    path: pathname
      .replace(/\/+$/u, "")
      .replace(/\.git$/iu, "")
      .slice(1),
    apiUrl: table.api_url?.replace(/\/+$/u, "") ?? null,
  };
}

function isHttps(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.username === "" && url.password === "";
}

function isPlainHttps(text: string): boolean {
  const url = URL.parse(text);
  return isHttps(text) && url?.search === "" && url.hash === "";
}
