import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

import { makeCertificate } from "./https-server.ts";

/** A local forge: git's own server program behind TLS, with one repository of one commit on the branch `main`. */

export interface ForgeOptions {
  /** `repo.git` is served as `/repo.git`. */
  readonly repository: string;
  /** By path inside the repository. */
  readonly files: Readonly<Record<string, string | Buffer>>;
  readonly tag: string;
  /** Where paths that begin so are sent instead, with the rest of what was asked. */
  readonly redirects?: Readonly<Record<string, string>>;
}

export interface Forge extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly origin: string;
  /** PEM of the authority behind its certificate, as a file and as text. */
  readonly caFile: string;
  readonly ca: string;
  /** Whole hash of the first commit. */
  readonly commit: string;
  /** Runs git in a clone of the repository, whose remote `origin` is the served one. @returns what it says. */
  readonly git: (...argv: string[]) => string;
  /** Answers with this status in place of what is asked, while it is set. */
  fault: number | null;
  /** Waits so long before a pack is sent. */
  delayMs: number;
  /** What was asked, as `GET /repo.git/info/refs`, and of what is posted the command (`ls-refs`, `fetch`). */
  readonly requests: string[];
}

export async function startForge(options: ForgeOptions): Promise<Forge> {
  const root = mkdtempSync(join(tmpdir(), "creamery-forge-"));
  const forge: Pick<Forge, "fault" | "delayMs" | "requests"> = {
    fault: null,
    delayMs: 0,
    requests: [],
  };
  const commit = makeRepository(root, options);
  const [keyFile, caFile] = makeCertificate(root);
  const ca = readFileSync(caFile, "utf8");
  const server = createServer({ key: readFileSync(keyFile), cert: ca }, (request, response) => {
    if (forge.fault !== null) return void response.writeHead(forge.fault).end();
    const url = new URL(request.url ?? "/", "https://localhost");
    const moved = Object.entries(options.redirects ?? {}).find(([from]) =>
      url.pathname.startsWith(from),
    );
    if (moved === undefined) {
      // Of a client that goes away within its question.
      serveGit(root, url, request, response, forge).catch(() => response.destroy());
      return;
    }
    const [from, to] = moved;
    const location = `${to}${url.pathname.slice(from.length)}${url.search}`;
    response.writeHead(301, { location }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const served: Forge = {
    get fault() {
      return forge.fault;
    },
    set fault(status) {
      forge.fault = status;
    },
    get delayMs() {
      return forge.delayMs;
    },
    set delayMs(ms) {
      forge.delayMs = ms;
    },
    requests: forge.requests,
    git: (...argv) => gitIn(join(root, "work"), argv),
    origin: `https://127.0.0.1:${address.port}`,
    caFile,
    ca,
    commit,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(root, { recursive: true, force: true });
    },
  };
  return served;
}

/** @returns the commit. */
function makeRepository(root: string, { repository, files, tag }: ForgeOptions): string {
  const work = join(root, "work");
  const git = (...argv: string[]): string => gitIn(work, argv);
  mkdirSync(work);
  git("init", "-q", "-b", "main");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(work, name)), { recursive: true });
    writeFileSync(join(work, name), content);
  }
  git("add", ".");
  git("commit", "-q", "-m", "one");
  git("tag", tag);
  git("clone", "-q", "--bare", work, join(root, repository));
  git("remote", "add", "origin", join(root, repository));
  return git("rev-parse", "HEAD").trim();
}

function gitIn(directory: string, argv: readonly string[]): string {
  return execFileSync("git", ["-c", "user.name=x", "-c", "user.email=x@x.example", ...argv], {
    cwd: directory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** By the Common Gateway Interface (RFC 3875), as git-http-backend(1) has it. */
async function serveGit(
  root: string,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  forge: Pick<Forge, "delayMs" | "requests">,
): Promise<void> {
  const body = await buffer(request);
  const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  const command = /command=([a-z-]+)/u.exec(plain.toString("latin1"))?.[1];
  forge.requests.push(
    `${request.method} ${url.pathname}${command === undefined ? "" : ` ${command}`}`,
  );
  if (command === "fetch") await sleep(forge.delayMs);
  const child = spawn("git", ["http-backend"], {
    env: {
      PATH: process.env["PATH"] ?? "",
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? "",
      CONTENT_TYPE: request.headers["content-type"] ?? "",
      HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
    },
    stdio: ["pipe", "pipe", "ignore"],
  });
  // One that has no such repository reads nothing.
  child.stdin.on("error", () => undefined);
  child.stdin.end(body);
  const whole = await buffer(child.stdout);
  const split = whole.indexOf("\r\n\r\n");
  const headers = new Headers();
  for (const line of whole.toString("latin1", 0, split).split("\r\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 2));
  }
  const status = Number(headers.get("status")?.slice(0, 3) ?? 200);
  headers.delete("status");
  response.setHeaders(headers);
  response.writeHead(status).end(whole.subarray(split + 4));
}
