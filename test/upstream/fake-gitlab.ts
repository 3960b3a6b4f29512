import { z } from "zod";

import {
  startHttps,
  type GivenAnswer,
  type HttpsServer,
  type SeenRequest,
} from "./https-server.ts";

/**
 * So much of GitLab's REST API as sets a commit's pipeline status, strictly: what it would refuse or pass over is refused here.
 * https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
 */
export interface FakeGitlab extends HttpsServer {
  readonly statuses: readonly (z.infer<typeof Status> & { readonly sha: string })[];
  readonly seen: readonly SeenRequest[];
  /** Given in the place of what would be answered, one after the other. */
  readonly faults: GivenAnswer[];
}

export const GITLAB_TOKEN = "glpat-aTokenThatNobodyMustSee";
export const GITLAB_COMMIT = "b".repeat(40);

const Status = z.strictObject({
  state: z.enum(["pending", "running", "success", "failed", "canceled"]),
  ref: z.string().min(1).optional(),
  name: z.string().max(255).optional(),
  target_url: z.url().max(255).optional(),
  description: z.string().max(255).optional(),
  coverage: z.number().optional(),
  pipeline_id: z.number().int().optional(),
});

export async function startGitlab(): Promise<FakeGitlab> {
  const statuses: (z.infer<typeof Status> & { sha: string })[] = [];
  const seen: SeenRequest[] = [];
  const faults: GivenAnswer[] = [];
  const route = ({ method, path, headers, body }: SeenRequest): GivenAnswer => {
    const match = /^\/api\/v4\/projects\/([^/]+)\/statuses\/([^/?]+)$/u.exec(path);
    if (match === null) return { status: 404, body: { error: "404 Not Found" } };
    if (method !== "POST") return { status: 405, body: { error: "405 Not Allowed" } };
    const token = headers["private-token"];
    if (token !== GITLAB_TOKEN) return { status: 401, body: { message: "401 Unauthorized" } };
    const [, project, sha = ""] = match;
    if (project !== "group%2Fsub%2Fhello")
      return { status: 404, body: { message: "404 Project Not Found" } };
    if (sha !== GITLAB_COMMIT) return { status: 404, body: { message: "404 Commit Not Found" } };
    if (headers["content-type"] !== "application/json")
      return { status: 415, body: { error: "The provided content-type is not supported." } };
    const parsed = Status.safeParse(JSON.parse(body));
    if (!parsed.success) return { status: 400, body: { message: { state: ["is invalid"] } } };
    statuses.push({ ...parsed.data, sha });
    const { state: told, ...rest } = parsed.data;
    return { status: 201, body: { id: statuses.length, sha, status: told, ...rest } };
  };
  const server = await startHttps((request) => {
    seen.push(request);
    return faults.shift() ?? route(request);
  });
  return { ...server, statuses, seen, faults };
}
