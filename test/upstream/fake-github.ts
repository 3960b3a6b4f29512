import { generateKeyPairSync, verify } from "node:crypto";

import { z } from "zod";

import {
  startHttps,
  type GivenAnswer,
  type HttpsServer,
  type SeenRequest,
} from "./https-server.ts";

/**
 * So much of GitHub's REST API as writes commit statuses and check runs, as its documentation has it, strictly: what it would refuse or
 * pass over is refused here. https://docs.github.com/en/rest
 */
export interface FakeGithub extends HttpsServer {
  /** What was written, in order. */
  readonly statuses: readonly (z.infer<typeof Status> & { readonly sha: string })[];
  readonly checks: readonly z.infer<typeof CheckRun>[];
  /** Every request that came, refused ones too. */
  readonly seen: readonly SeenRequest[];
  /** Given in the place of what would be answered, one after the other. */
  readonly faults: (GivenAnswer | "lost")[];
  /** Whose JWTs are good (PEM). */
  readonly appKey: string;
  /** Instant by which tokens are good, ms. */
  nowMs: number;
}

export const GITHUB_TOKEN = "ghp_aTokenThatNobodyMustEverSeeInALog01";
export const KNOWN_COMMIT = "a".repeat(40);
export const APP_ID = "4711";

const Status = z.strictObject({
  state: z.enum(["error", "failure", "pending", "success"]),
  target_url: z.url().nullable().optional(),
  description: z.string().max(140).nullable().optional(),
  context: z.string().max(255).optional(),
});

const CheckRun = z.strictObject({
  name: z.string().min(1),
  head_sha: z.string(),
  details_url: z.url().optional(),
  external_id: z.string().optional(),
  status: z.enum(["queued", "in_progress", "completed"]).optional(),
  started_at: z.iso.datetime().optional(),
  completed_at: z.iso.datetime().optional(),
  conclusion: z
    .enum(["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"])
    .optional(),
  output: z
    .strictObject({
      title: z.string(),
      summary: z.string().max(65_535),
      text: z.string().max(65_535).optional(),
    })
    .optional(),
});

const TokenRequest = z.strictObject({
  repositories: z.array(z.string()).optional(),
  permissions: z.record(z.string(), z.enum(["read", "write"])).optional(),
});

const Claims = z.object({ iat: z.number(), exp: z.number(), iss: z.string() });

const problem = (status: number, message: string, more: object = {}): GivenAnswer => ({
  status,
  body: {
    message,
    documentation_url: "https://docs.example/rest",
    status: String(status),
    ...more,
  },
});
const NOT_FOUND = problem(404, "Not Found");

export async function startGithub(): Promise<FakeGithub> {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const installationTokens = new Map<string, { permission: string; untilMs: number }>();
  const statuses: (z.infer<typeof Status> & { sha: string })[] = [];
  const checks: z.infer<typeof CheckRun>[] = [];
  const seen: SeenRequest[] = [];
  const faults: (GivenAnswer | "lost")[] = [];
  const state = { nowMs: Date.now() };

  const isJwt = (token: string): boolean => {
    const [head = "", body = "", signature = ""] = token.split(".");
    const signed = Buffer.from(`${head}.${body}`);
    if (!verify("sha256", signed, publicKey, Buffer.from(signature, "base64url"))) return false;
    const claims = Claims.parse(JSON.parse(Buffer.from(body, "base64url").toString()));
    const nowS = state.nowMs / 1000;
    const isInTime = claims.iat <= nowS && claims.exp > nowS && claims.exp <= nowS + 600;
    return isInTime && claims.iss === APP_ID;
  };

  const route = (request: SeenRequest): GivenAnswer => {
    const { method, path, headers, body } = request;
    if ((headers["user-agent"] ?? "") === "")
      return { status: 403, body: "Request forbidden by administrative rules." };
    if (headers["accept"] !== "application/vnd.github+json") return problem(415, "Unsupported");
    if (headers["x-github-api-version"] !== "2022-11-28") return problem(400, "no such version");
    const token = /^Bearer (\S+)$/u.exec(headers["authorization"] ?? "")?.[1] ?? "";
    const installed = installationTokens.get(token);
    const isApp = token.split(".").length === 3 && isJwt(token);
    const isInstalled = installed !== undefined && installed.untilMs > state.nowMs;
    if (!(token === GITHUB_TOKEN || isInstalled || isApp)) return problem(401, "Bad credentials");
    const may = (permission: string) =>
      token === GITHUB_TOKEN || installed?.permission === permission;
    const json = (): unknown => {
      if (!headers["content-type"]?.startsWith("application/json")) return undefined;
      return JSON.parse(body);
    };
    const url = new URL(path, "https://localhost");
    const at = `${method} ${url.pathname.replace(/^\/api\/v3/u, "")}`;

    if (at === "GET /repos/octo/hello/installation")
      return isApp
        ? { status: 200, body: { id: 99, app_id: Number(APP_ID) } }
        : problem(401, "A JSON web token could not be decoded");
    if (at === "POST /app/installations/99/access_tokens") {
      if (!isApp) return problem(401, "A JSON web token could not be decoded");
      const wanted = TokenRequest.safeParse(json());
      if (!wanted.success) return problem(422, "Validation Failed");
      const permission = Object.keys(wanted.data.permissions ?? {}).join();
      const untilMs = state.nowMs + 3_600_000;
      const given = `ghs_${installationTokens.size}aTokenOfAnInstallation00000000000`;
      installationTokens.set(given, { permission, untilMs });
      const expires = new Date(untilMs).toISOString().replace(".000Z", "Z");
      return {
        status: 201,
        body: { token: given, expires_at: expires, permissions: { [permission]: "write" } },
      };
    }
    const status = /^POST \/repos\/octo\/hello\/statuses\/([0-9a-f]+)$/u.exec(at);
    if (status !== null) {
      if (!may("statuses")) return problem(403, "Resource not accessible by integration");
      const [, sha = ""] = status;
      if (sha !== KNOWN_COMMIT) return problem(422, `No commit found for SHA: ${sha}`);
      const parsed = Status.safeParse(json());
      if (!parsed.success)
        return problem(422, "Validation Failed", {
          errors: [{ resource: "Status", code: "custom" }],
        });
      statuses.push({ ...parsed.data, sha });
      return { status: 201, body: { id: statuses.length, ...parsed.data } };
    }
    if (at === "POST /repos/octo/hello/check-runs") {
      if (!isInstalled) return problem(403, "You must authenticate via a GitHub App.");
      if (!may("checks")) return problem(403, "Resource not accessible by integration");
      const parsed = CheckRun.safeParse(json());
      if (!parsed.success) return problem(422, "Invalid request.");
      const { head_sha: sha, conclusion, status: told } = parsed.data;
      if (sha !== KNOWN_COMMIT) return problem(422, `No commit found for SHA: ${sha}`);
      if ((conclusion === undefined) !== (told !== "completed"))
        return problem(422, "Invalid request.");
      checks.push(parsed.data);
      return { status: 201, body: { id: checks.length, ...parsed.data } };
    }
    if (at === `GET /repos/octo/hello/commits/${KNOWN_COMMIT}/check-runs`) {
      const name = url.searchParams.get("check_name");
      const found = checks.filter((one) => one.name === name);
      return {
        status: 200,
        body: { total_count: found.length, check_runs: found.map((one, id) => ({ id, ...one })) },
      };
    }
    return NOT_FOUND;
  };

  const server = await startHttps((request) => {
    seen.push(request);
    const fault = faults.shift();
    if (fault === undefined) return route(request);
    // What was done, and nobody hears of it.
    if (fault !== "lost") return fault;
    route(request);
    return { status: 0, cut: true };
  });
  return {
    ...server,
    statuses,
    checks,
    seen,
    faults,
    appKey: privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
    get nowMs() {
      return state.nowMs;
    },
    set nowMs(ms) {
      state.nowMs = ms;
    },
  };
}
