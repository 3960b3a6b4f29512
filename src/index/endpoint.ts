import { createHash, randomBytes } from "node:crypto";
import { open, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { once } from "node:events";
import { gzip } from "node:zlib";
import { promisify } from "node:util";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { printableLine } from "../base/bounded-text.ts";
import { RecordBuilder, type AttemptRecord } from "./attempt-record.ts";
import { cargoConfig } from "./crates.ts";
import type { FileReader, StoredFile } from "./file-store.ts";
import type { Catalogue } from "./catalogue.ts";
import { abortable } from "./page-store.ts";
import { projectSegment, type IndexFile, type ProjectPage } from "./project-page.ts";
import { CONTENT_TYPES, negotiate, renderPage, uploadedBefore } from "./render-page.ts";
import { shownUrl } from "./secret.ts";

export interface EndpointLimits {
  readonly bytes: number;
  readonly requests: number;
  /** Of different projects asked for. */
  readonly names: number;
}

export const DEFAULT_LIMITS: EndpointLimits = {
  bytes: 4 * 1024 ** 3,
  requests: 20_000,
  names: 2000,
};

/** One attempt's own index, on a Unix socket, behind a token. */
export interface Endpoint extends AsyncDisposable {
  /** `/TOKEN/simple/` */
  readonly indexPath: string;
  /** `/TOKEN/crates/` */
  readonly cratesPath: string;
  /** Text for the guest's `$CARGO_HOME/config.toml`. @param origin as the guest reaches it, `http://127.0.0.1:PORT`. */
  cargoConfig(origin: string): string;
  /** What was asked for and got until now. */
  record(): AttemptRecord;
  close(): Promise<void>;
}

export interface EndpointSetup {
  readonly socketPath: string;
  readonly attemptId: string;
  readonly limits: EndpointLimits;
  readonly before: Date | null;
  readonly catalogue: Catalogue;
}

/** Opens the server; its socket's mode is the process's umask's to decide. */
export async function openEndpoint(setup: EndpointSetup): Promise<Endpoint> {
  const served = new AttemptServer(setup);
  await served.listen();
  return served;
}

const CHUNK_BYTES = 512 * 1024;

class AttemptServer implements Endpoint {
  readonly indexPath: string;
  readonly cratesPath: string;
  readonly #setup: EndpointSetup;
  readonly #server: Server;
  readonly #record: RecordBuilder;
  readonly #token = randomBytes(18).toString("base64url");
  readonly #abort = new AbortController();
  readonly #names = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #requests = 0;

  constructor(setup: EndpointSetup) {
    this.#setup = setup;
    this.indexPath = `/${this.#token}/simple/`;
    this.cratesPath = `/${this.#token}/crates/`;
    this.#record = new RecordBuilder({
      attemptId: setup.attemptId,
      openedAt: new Date().toISOString(),
      upstreams: [...setup.catalogue.addresses],
      before: setup.before?.toISOString() ?? null,
      replayed: setup.catalogue.replayed,
    });
    this.#server = createServer(
      { maxHeaderSize: 16 * 1024, requestTimeout: 60_000, keepAliveTimeout: 30_000 },
      (request, response) => {
        const answered = this.#answer(request, response).finally(() =>
          this.#running.delete(answered),
        );
        this.#running.add(answered);
      },
    );
    this.#server.maxConnections = 256;
  }

  async listen(): Promise<void> {
    const { socketPath } = this.#setup;
    await rm(socketPath, { force: true });
    this.#server.listen(socketPath);
    await once(this.#server, "listening");
  }

  cargoConfig(origin: string): string {
    return cargoConfig(`${origin}${this.cratesPath}`);
  }

  record(): AttemptRecord {
    return this.#record.build();
  }

  async close(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(new CreameryError("interrupted", "the attempt has ended"));
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.allSettled(this.#running);
    await rm(this.#setup.socketPath, { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = Date.now();
    const signal = AbortSignal.any([this.#abort.signal, closedSignal(response)]);
    const [path = "/"] = (request.url ?? "/").split("?");
    const bytesBefore = request.socket.bytesWritten;
    try {
      await this.#route(request, response, path, signal);
      if (!response.writableEnded) response.end();
      await finished(response).catch(() => undefined);
    } catch (thrown) {
      this.#fail(response, thrown, signal);
    } finally {
      const method = request.method ?? "";
      const bytes = Math.max(0, request.socket.bytesWritten - bytesBefore);
      this.#record.request({
        atMs: started,
        method,
        path: this.#shownPath(path),
        status: response.statusCode,
        bytes,
      });
    }
  }

  #shownPath(path: string): string {
    return printableLine(path.replace(`/${this.#token}/`, "/"));
  }

  /** An upstream's or the mirror's fault: kept as evidence; the client gets one line, or an answer cut short. */
  #fail(response: ServerResponse, thrown: unknown, signal: AbortSignal): void {
    if (!signal.aborted) {
      const fault =
        thrown instanceof CreameryError
          ? thrown
          : new CreameryError("internal", reasonOf(thrown), { cause: thrown });
      this.#record.fault(fault.code, fault.line);
      if (!response.headersSent) {
        sendText(response, fault.code === "deadline" ? 504 : 502, fault.line);
        return;
      }
    }
    // Never ended as if it were whole.
    response.destroy();
  }

  #refuse(response: ServerResponse, status: number, path: string, why: string): void {
    this.#record.refuse(this.#shownPath(path), why);
    sendText(response, status, why);
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (++this.#requests > this.#setup.limits.requests) {
      this.#record.limit("requests");
      return this.#refuse(response, 429, path, "this attempt has asked too often");
    }
    if (this.#record.bytes >= this.#setup.limits.bytes) {
      this.#record.limit("bytes");
      return this.#refuse(response, 429, path, "this attempt has fetched too many bytes");
    }
    const [root, token, area, ...rest] = path.split("/").map(decodeSegment);
    if (root !== "" || token !== this.#token)
      return this.#refuse(response, 404, path, "no such address");
    if (request.method !== "GET" && request.method !== "HEAD")
      return this.#refuse(
        response,
        405,
        path,
        `this index does not know ${printableLine(request.method ?? "")}`,
      );
    if (area === "simple") return this.#simple(request, response, path, rest, signal);
    if (area === "files") return this.#file(request, response, path, rest, signal);
    if (area === "crates") return this.#crates(request, response, path, rest, signal);
    return this.#refuse(response, 404, path, "no such address");
  }

  /** Null (after the answer was sent) when this name would be one too many. */
  #nameAllowed(response: ServerResponse, path: string, name: string): boolean {
    if (!this.#names.has(name) && this.#names.size >= this.#setup.limits.names) {
      this.#record.limit("names");
      this.#refuse(response, 429, path, "this attempt has asked for too many projects");
      return false;
    }
    this.#names.add(name);
    return true;
  }

  async #page(name: string, signal: AbortSignal): Promise<ProjectPage | null> {
    const page = await this.#setup.catalogue.page(name, signal);
    if (page === null) {
      this.#record.missing(name);
      return null;
    }
    const { contentSha256, upstream, stale, lastSerial } = page;
    this.#record.page({ project: name, sha256: contentSha256, upstream, stale, lastSerial });
    return this.#setup.before === null ? page : uploadedBefore(page, this.#setup.before);
  }

  async #simple(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    rest: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const [segment = "", slash, ...more] = rest;
    if (segment === "")
      return this.#refuse(response, 404, path, "this index does not list all names");
    const project = projectSegment(segment);
    if (project === null || more.length > 0 || (slash !== undefined && slash !== ""))
      return this.#refuse(response, 404, path, "no project can have this name");
    if (!project.normalised || slash === undefined) {
      response.writeHead(301, { location: `${this.indexPath}${project.name}/` }).end();
      return;
    }
    if (!this.#nameAllowed(response, path, project.name)) return;
    const format = negotiate(request.headers.accept);
    if (format === null)
      return sendText(
        response,
        406,
        `this index speaks ${Object.values(CONTENT_TYPES).join(", ")}`,
      );
    const page = await this.#page(project.name, signal);
    if (page === null)
      return sendText(response, 404, `${project.name} is on no index of this farm`);
    const body = renderPage(page, format);
    const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 32)}"`;
    response.setHeader("etag", etag);
    response.setHeader("vary", "Accept, Accept-Encoding");
    response.setHeader("cache-control", "max-age=60");
    if (page.lastSerial !== null) response.setHeader("x-pypi-last-serial", String(page.lastSerial));
    if (page.stale) response.setHeader("warning", '110 - "Response is Stale"');
    if (
      request.headers["if-none-match"]
        ?.split(",")
        .some((tag) => tag.trim().replace(/^W\//u, "") === etag) === true
    ) {
      response.writeHead(304).end();
      return;
    }
    const zipped = acceptsGzip(request) && body.length > 1024;
    const sent = zipped ? await promisify(gzip)(body, { level: 1 }) : body;
    if (zipped) response.setHeader("content-encoding", "gzip");
    this.#send(request, response, sent, CONTENT_TYPES[format]);
  }

  #send(
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
    contentType: string,
  ): void {
    response.writeHead(200, { "content-type": contentType, "content-length": body.length });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    this.#record.countBytes(body.length);
    response.end(body);
  }

  async #file(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    rest: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const [segment = "", key, name, ...more] = rest;
    const project = projectSegment(segment);
    if (project === null || key === undefined || name === undefined || more.length > 0)
      return this.#refuse(response, 404, path, "no such file");
    if (!this.#nameAllowed(response, path, project.name)) return;
    const page = await this.#page(project.name, signal);
    const file = page?.files.find(
      (candidate) =>
        candidate.key === key &&
        (candidate.filename === name || `${candidate.filename}.metadata` === name),
    );
    if (page === null || file === undefined)
      return this.#refuse(response, 404, path, "no index of this farm lists this file");
    if (name !== file.filename) {
      const metadata = await this.#setup.catalogue.metadata(page, file, signal);
      if (metadata === null)
        return sendText(response, 404, `${file.filename} holds no metadata that can be read`);
      return this.#send(request, response, metadata, "text/plain; charset=utf-8");
    }
    const sent = await this.#serveFile(request, response, {
      kept: () => this.#setup.catalogue.kept(file),
      follow: () => this.#setup.catalogue.follow(page, file),
      signal,
    });
    if (sent === null) return;
    this.#recordFile(page, file, sent.stored);
    if (sent.fetched) await this.#setup.catalogue.confirmMetadata(file, sent.stored);
  }

  #recordFile(page: ProjectPage, file: IndexFile, stored: StoredFile): void {
    this.#record.file({
      project: page.name,
      filename: file.filename,
      sha256: stored.sha256,
      sizeBytes: stored.sizeBytes,
      uploadTime: file.uploadTime,
      requiresPython: file.requiresPython,
      url: shownUrl(file.url),
      upstream: page.upstream,
    });
  }

  async #crates(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    rest: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    if (rest.join("/") === "config.json") {
      const host = request.headers.host ?? "";
      if (!/^[a-z0-9.-]+(?::\d+)?$/iu.test(host))
        return this.#refuse(response, 400, path, "a Host header is needed");
      const dl = `http://${host}${this.cratesPath}dl/{crate}/{version}/{sha256-checksum}`;
      return this.#send(request, response, Buffer.from(JSON.stringify({ dl })), "application/json");
    }
    const isDownload = rest[0] === "dl" && rest.length === 4;
    const name = (isDownload ? rest[1] : rest.at(-1)) ?? "";
    if (!this.#nameAllowed(response, path, `crate:${name}`)) return;
    const versions = await this.#setup.catalogue.crateVersions(
      name,
      isDownload ? null : rest.slice(0, -1).join("/"),
    );
    if (versions === null) {
      this.#record.missing(`crate:${printableLine(name).slice(0, 100)}`);
      return sendText(response, 404, "no such crate");
    }
    if (!isDownload)
      return this.#send(
        request,
        response,
        Buffer.from(versions.map(({ line }) => `${line}\n`).join("")),
        "text/plain; charset=utf-8",
      );
    const version = versions.find(
      (candidate) => candidate.version === rest[2] && candidate.sha256 === rest[3],
    );
    if (version === undefined)
      return this.#refuse(response, 404, path, "no such version of this crate");
    const sent = await this.#serveFile(request, response, {
      kept: () => this.#setup.catalogue.kept({ key: version.sha256, sha256: version.sha256 }),
      follow: () => this.#setup.catalogue.followCrate(version),
      signal,
    });
    if (sent !== null)
      this.#record.crate({
        name: version.name,
        version: version.version,
        sha256: version.sha256,
        sizeBytes: sent.stored.sizeBytes,
        line: version.line,
      });
  }

  /** Sends a file, from disk or while it comes. @returns null when no whole file was at hand or asked for (HEAD, a range that can't be). */
  async #serveFile(
    request: IncomingMessage,
    response: ServerResponse,
    source: FileSource,
  ): Promise<{ stored: StoredFile; fetched: boolean } | null> {
    response.setHeader("accept-ranges", "bytes");
    response.setHeader("content-type", "application/octet-stream");
    response.setHeader("cache-control", "max-age=31536000, immutable");
    const stored = await source.kept();
    if (stored !== null) {
      await this.#sendStored(request, response, stored, source.signal);
      return request.method === "HEAD" ? null : { stored, fetched: false };
    }
    using reader = await source.follow();
    const size = await reader.size();
    if (request.method === "HEAD") {
      response.writeHead(200, size === null ? {} : { "content-length": size }).end();
      return null;
    }
    if (request.headers.range !== undefined) {
      // A part of what is not here yet: the whole is fetched and verified first.
      const whole = await reader.done;
      await this.#sendStored(request, response, whole, source.signal);
      return { stored: whole, fetched: true };
    }
    response.writeHead(200, size === null ? {} : { "content-length": size });
    for await (const chunk of reader.read(0, source.signal))
      await this.#write(response, chunk, source.signal);
    response.end();
    return { stored: await reader.done, fetched: true };
  }

  async #sendStored(
    request: IncomingMessage,
    response: ServerResponse,
    stored: StoredFile,
    signal: AbortSignal,
  ): Promise<void> {
    const range = parseRange(request.headers.range, stored.sizeBytes);
    response.setHeader("etag", `"${stored.sha256}"`);
    if (range === "unsatisfiable") {
      response.writeHead(416, { "content-range": `bytes */${stored.sizeBytes}` }).end();
      return;
    }
    const { start, end } = range ?? { start: 0, end: stored.sizeBytes };
    const head = {
      "content-length": end - start,
      ...(range === null
        ? {}
        : { "content-range": `bytes ${start}-${end - 1}/${stored.sizeBytes}` }),
    };
    response.writeHead(range === null ? 200 : 206, head);
    if (request.method === "HEAD" || end === start) {
      response.end();
      return;
    }
    const file = await open(stored.path, "r");
    try {
      // Two buffers, by turns: one is filled while the other is sent.
      const buffers = [Buffer.allocUnsafe(CHUNK_BYTES), Buffer.allocUnsafe(CHUNK_BYTES)];
      let sent: Promise<void> = Promise.resolve();
      for (let at = start, turn = 0; at < end; turn = 1 - turn) {
        const buffer = buffers[turn] ?? Buffer.alloc(0);
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
        if (bytesRead === 0)
          throw new CreameryError("internal", "a kept file is shorter than it was", {
            input: stored.path,
          });
        await sent;
        sent = this.#write(response, buffer.subarray(0, bytesRead), signal);
        // Its failure is met at the next turn: until then it must not count as nobody's.
        sent.catch(() => undefined);
        at += bytesRead;
      }
      await sent;
    } finally {
      await file.close();
    }
    response.end();
  }

  async #write(response: ServerResponse, chunk: Buffer, signal: AbortSignal): Promise<void> {
    this.#record.countBytes(chunk.length);
    if (this.#record.bytes > this.#setup.limits.bytes) {
      this.#record.limit("bytes");
      throw new CreameryError("usage", "this attempt has fetched too many bytes");
    }
    // Until the kernel has the bytes: the buffer is used again.
    await abortable(
      new Promise<void>((resolve, reject) =>
        response.write(chunk, (error) =>
          error === null || error === undefined ? resolve() : reject(error),
        ),
      ),
      signal,
    );
  }
}

interface FileSource {
  readonly kept: () => Promise<StoredFile | null>;
  readonly follow: () => Promise<FileReader>;
  readonly signal: AbortSignal;
}

function closedSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished)
      controller.abort(new CreameryError("interrupted", "the client went away"));
  });
  return controller.signal;
}

function sendText(response: ServerResponse, status: number, line: string): void {
  const body = Buffer.from(`${printableLine(line)}\n`);
  response
    .writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "content-length": body.length,
    })
    .end(body);
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "\0";
  }
}

function acceptsGzip(request: IncomingMessage): boolean {
  const accepted = request.headers["accept-encoding"];
  return typeof accepted === "string" && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/iu.test(accepted);
}

/** One range of bytes (RFC 9110 14.1): `start` up to, not with, `end`; null for none or what may be ignored. */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { readonly start: number; readonly end: number } | "unsatisfiable" | null {
  const match = header === undefined ? null : /^bytes=(\d{0,15})-(\d{0,15})$/u.exec(header.trim());
  if (match === null || (match[1] === "" && match[2] === "")) return null;
  const [, first = "", last = ""] = match;
  if (first === "") {
    const length = Math.min(Number(last), sizeBytes);
    return length === 0 ? "unsatisfiable" : { start: sizeBytes - length, end: sizeBytes };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return null;
  return start >= sizeBytes
    ? "unsatisfiable"
    : { start, end: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}
