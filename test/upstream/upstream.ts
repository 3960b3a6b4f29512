import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { join } from "node:path";

/**
 * A local index that speaks the real protocol (JSON and HTML simple API, ranges, PEP 658, ETag), for
 * tests and the mini-farm, and that can be made to fail in each way that indexes do.
 */

export interface DistFile {
  /** Normalised name. */
  readonly project: string;
  readonly filename: string;
  readonly content: Buffer;
  readonly uploadTime?: string;
  readonly requiresPython?: string;
  readonly yanked?: string;
  /** More keys of the file's JSON. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** How it fails, for requests whose path contains `on`. */
export interface Fault {
  readonly on: string;
  readonly kind: "status" | "garbage" | "truncate" | "wrong-bytes" | "hang" | "redirect" | "slow";
  readonly status?: number;
  readonly location?: string;
  /** So many times only. */
  times?: number;
}

export interface UpstreamOptions {
  /** Files, or a directory that holds `PROJECT/FILE` for each. */
  readonly files: readonly DistFile[] | string;
  readonly faults?: Fault[];
  readonly format?: "json" | "html";
  readonly etag?: boolean;
  readonly ranges?: boolean;
  /** Serves `<file>.metadata` with these contents, by filename, and says so on the page. */
  readonly metadata?: Readonly<Record<string, Buffer>>;
  /** Sent by every request, or 401. */
  readonly login?: { readonly user: string; readonly password: string };
  readonly maxAgeSeconds?: number;
  /** PEP 792, by project; it may be changed while it runs. */
  readonly statuses?: ReadonlyMap<string, string>;
  /** PEP 740, by filename: served, and named on the page as absolute addresses of this upstream. */
  readonly provenances?: Readonly<Record<string, Buffer>>;
  /** Of a test in which it goes away: one that nobody is given after it (`freePort`). */
  readonly port?: number;
}

export interface RunningUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/simple/` */
  readonly url: string;
  readonly origin: string;
  /** `METHOD path [range]` of each request, in order. */
  readonly requests: string[];
  readonly faults: Fault[];
  readonly files: DistFile[];
}

export async function startUpstream(options: UpstreamOptions): Promise<RunningUpstream> {
  const files = typeof options.files === "string" ? filesBelow(options.files) : [...options.files];
  const requests: string[] = [];
  const faults = options.faults ?? [];
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    requests.push(
      `${request.method ?? ""} ${path}${request.headers.range === undefined ? "" : ` ${request.headers.range}`}`,
    );
    if (options.login !== undefined) {
      const wanted = `Basic ${Buffer.from(`${options.login.user}:${options.login.password}`).toString("base64")}`;
      if (request.headers.authorization !== wanted)
        return void response.writeHead(401).end("who are you?");
    }
    const fault = faults.find((candidate) => path.includes(candidate.on) && candidate.times !== 0);
    if (fault?.times !== undefined) fault.times--;
    answer(request, response, path, files, options, fault);
  });
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const origin = `http://127.0.0.1:${address.port}`;
  return {
    url: `${origin}/simple/`,
    origin,
    requests,
    faults,
    files,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  files: readonly DistFile[],
  options: UpstreamOptions,
  fault: Fault | undefined,
): void {
  if (fault?.kind === "hang") return;
  if (fault?.kind === "status") return void response.writeHead(fault.status ?? 500).end("a fault");
  if (fault?.kind === "garbage")
    return void response
      .writeHead(200, { "content-type": "application/json" })
      .end('{"files": [{"url": 1}');
  if (fault?.kind === "redirect")
    return void response.writeHead(302, { location: fault.location ?? "/" }).end();
  if (path === "/simple/") return sendNames(request, response, files);
  const project = /^\/simple\/([^/]+)\/$/u.exec(path)?.[1];
  if (project !== undefined) return sendPage(request, response, project, files, options);
  const metadata = options.metadata?.[/^\/packages\/([^/]+)\.metadata$/u.exec(path)?.[1] ?? ""];
  if (metadata !== undefined) return void response.writeHead(200).end(metadata);
  const attested = options.provenances?.[/^\/integrity\/([^/]+)$/u.exec(path)?.[1] ?? ""];
  if (attested !== undefined) return void response.writeHead(200).end(attested);
  const file = files.find(({ filename }) => path === `/packages/${filename}`);
  if (file === undefined) return void response.writeHead(404).end();
  sendFile(request, response, file, options, fault);
}

/** All of its names, in the form that the client names first. */
function sendNames(
  request: IncomingMessage,
  response: ServerResponse,
  files: readonly DistFile[],
): void {
  const names = [...new Set(files.map(({ project }) => project))];
  if (request.headers.accept?.startsWith("application/vnd.pypi.simple.v1+json") === true) {
    const projects = names.map((name) => ({ name }));
    response
      .writeHead(200, { "content-type": "application/vnd.pypi.simple.v1+json" })
      .end(JSON.stringify({ meta: { "api-version": "1.0" }, projects }));
    return;
  }
  response
    .writeHead(200, { "content-type": "text/html" })
    .end(names.map((name) => `<a href="${name}/">${name}</a>`).join("\n"));
}

function sendPage(
  request: IncomingMessage,
  response: ServerResponse,
  project: string,
  all: readonly DistFile[],
  options: UpstreamOptions,
): void {
  const files = all.filter((file) => file.project === project);
  if (files.length === 0) return void response.writeHead(404).end();
  const rows = files.map((file) => ({
    ...file,
    sha256: sha256(file.content),
    metadata: options.metadata?.[file.filename],
  }));
  const body =
    options.format === "html"
      ? `<!DOCTYPE html><html><body>${rows
          .map(
            (row) =>
              `<a href="../../packages/${row.filename}#sha256=${row.sha256}"${row.requiresPython === undefined ? "" : ` data-requires-python="${row.requiresPython.replaceAll(">", "&gt;")}"`}${row.yanked === undefined ? "" : ` data-yanked="${row.yanked}"`}${options.provenances?.[row.filename] === undefined ? "" : ` data-provenance="http://${request.headers.host}/integrity/${row.filename}"`}>${row.filename}</a>`,
          )
          .join("\n")}</body></html>`
      : JSON.stringify({
          meta: { "api-version": "1.1", "_last-serial": 7 },
          name: project,
          versions: [
            ...new Set(
              files.map(({ filename }) => filename.split("-")[1]?.replace(/\.tar\.gz$/u, "")),
            ),
          ],
          "x-unknown": { kept: true },
          ...(options.statuses?.has(project) === true
            ? { "project-status": { status: options.statuses.get(project) } }
            : {}),
          files: rows.map((row) => ({
            filename: row.filename,
            url: `../../packages/${row.filename}`,
            hashes: { sha256: row.sha256 },
            size: row.content.length,
            "upload-time": row.uploadTime ?? "2026-01-02T03:04:05.000000Z",
            "requires-python": row.requiresPython ?? null,
            yanked: row.yanked ?? false,
            ...(row.metadata === undefined
              ? {}
              : { "core-metadata": { sha256: sha256(row.metadata) } }),
            ...(options.provenances?.[row.filename] === undefined
              ? {}
              : { provenance: `http://${request.headers.host}/integrity/${row.filename}` }),
            ...row.extra,
          })),
        });
  const etag = `"${sha256(Buffer.from(body)).slice(0, 16)}"`;
  if (options.etag === true) {
    response.setHeader("etag", etag);
    if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
  }
  response.setHeader("cache-control", `max-age=${options.maxAgeSeconds ?? 600}`);
  response
    .writeHead(200, {
      "content-type":
        options.format === "html" ? "text/html" : "application/vnd.pypi.simple.v1+json",
    })
    .end(body);
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  file: DistFile,
  options: UpstreamOptions,
  fault: Fault | undefined,
): void {
  let content = file.content;
  if (fault?.kind === "wrong-bytes")
    content = Buffer.from(
      content.map((byte, index) => (index === content.length >> 1 ? byte ^ 1 : byte)),
    );
  const range =
    options.ranges === false ? null : /^bytes=(\d*)-(\d*)$/u.exec(request.headers.range ?? "");
  let status = 200;
  if (range !== null) {
    const suffix = range[1] === "";
    const start = suffix ? Math.max(0, content.length - Number(range[2])) : Number(range[1]);
    const end =
      suffix || range[2] === "" ? content.length : Math.min(content.length, Number(range[2]) + 1);
    response.setHeader("content-range", `bytes ${start}-${end - 1}/${content.length}`);
    content = content.subarray(start, end);
    status = 206;
  }
  response.writeHead(status, { "content-length": content.length });
  if (fault?.kind === "truncate") {
    response.write(content.subarray(0, content.length >> 1), () =>
      setTimeout(() => response.destroy(), 20),
    );
  } else if (fault?.kind === "slow") {
    response.write(content.subarray(0, content.length >> 1));
    setTimeout(() => response.end(content.subarray(content.length >> 1)), 150);
  } else {
    response.end(content);
  }
}

function filesBelow(directory: string): DistFile[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(join(directory, name)).map((filename) => ({
        project: name,
        filename,
        content: readFileSync(join(directory, name, filename)),
      })),
    );
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
