import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { once } from "node:events";

import { CreameryError, reasonOf } from "../base/errors.ts";
import { printableLine } from "../base/bounded-text.ts";
import { within } from "../base/within.ts";
import { RecordBuilder, type AttemptRecord } from "./attempt-record.ts";
import { cargoConfig } from "./crates.ts";
import { acceptsGzip, hasAlready, sendText, watchClient, type Exchange } from "./exchange.ts";
import type { FileReader, StoredFile } from "./file-store.ts";
import type { Catalogue } from "./catalogue.ts";
import { projectSegment, type IndexFile, type ProjectPage } from "./project-page.ts";
import { CONTENT_TYPES, negotiate } from "./render-page.ts";
import { RenderedPages } from "./rendered-pages.ts";
import { DEFAULT_TURNS, RequestTurns } from "./request-turns.ts";
import { shownUrl } from "./secret.ts";
import { sendFile } from "./send-file.ts";

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

class AttemptServer implements Endpoint {
  readonly indexPath: string;
  readonly cratesPath: string;
  readonly #setup: EndpointSetup;
  readonly #server: Server;
  readonly #record: RecordBuilder;
  readonly #token = randomBytes(18).toString("base64url");
  readonly #abort = new AbortController();
  readonly #names = new Set<string>();
  readonly #turns = new RequestTurns(DEFAULT_TURNS);
  readonly #pages: RenderedPages;
  #requests = 0;
  /** Of pages that were made for answers without a body. */
  #renderedBytes = 0;

  constructor(setup: EndpointSetup) {
    this.#setup = setup;
    this.#pages = new RenderedPages(setup.before);
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
      (request, response) => this.#queue(request, response),
    );
    this.#server.maxConnections = 256;
  }

  async listen(): Promise<void> {
    const { socketPath } = this.#setup;
    await rm(socketPath, { force: true });
    this.#server.listen(socketPath);
    await once(this.#server, "listening");
    // What no connection can be taken for, such as too many open files: this attempt's, never the process's end.
    this.#server.on("error", (thrown) => this.#record.fault("internal", reasonOf(thrown)));
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
    await this.#turns.settled();
    await rm(this.#setup.socketPath, { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #queue(request: IncomingMessage, response: ServerResponse): void {
    // Nobody else hears these, and an error that nobody hears ends the process.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    if (request.socket.destroyed) return;
    const answer = (): Promise<void> =>
      this.#answer(request, response).catch((thrown: unknown) => {
        this.#record.fault("internal", reasonOf(thrown));
        request.socket.destroy();
      });
    if (this.#turns.queue(request.socket, answer)) return;
    this.#record.refuse(this.#shownPath(pathOf(request)), "too many requests at once");
    request.socket.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const atMs = this.#record.nowMs;
    using client = watchClient(request, response);
    const signal = AbortSignal.any([this.#abort.signal, client.signal]);
    const exchange = { request, response, path: pathOf(request), signal };
    const bytesBefore = request.socket.bytesWritten;
    try {
      try {
        await this.#route(exchange);
        if (!response.writableEnded) response.end();
      } catch (thrown) {
        this.#fail(exchange, thrown);
      }
      await within(finished(response), { signal }).catch(() => undefined);
    } finally {
      this.#record.request({
        atMs,
        method: request.method ?? "",
        path: this.#shownPath(exchange.path),
        status: response.statusCode,
        bytes: Math.max(0, request.socket.bytesWritten - bytesBefore),
      });
    }
  }

  #shownPath(path: string): string {
    return printableLine(path.replace(`/${this.#token}/`, "/"));
  }

  /** An upstream's or the mirror's fault: kept as evidence; the client gets one line, or an answer cut short. */
  #fail({ request, response, signal }: Exchange, thrown: unknown): void {
    // A write can fail before the connection's end is told.
    const gone = signal.aborted || (request.socket.destroyed && !response.writableFinished);
    if (!gone) {
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

  #refuse({ response, path }: Exchange, status: number, why: string): void {
    this.#record.refuse(this.#shownPath(path), why);
    sendText(response, status, why);
  }

  async #route(exchange: Exchange): Promise<void> {
    const { request, path } = exchange;
    if (++this.#requests > this.#setup.limits.requests) {
      this.#record.limit("requests");
      return this.#refuse(exchange, 429, "this attempt has asked too often");
    }
    if (this.#spentBytes >= this.#setup.limits.bytes) {
      this.#record.limit("bytes");
      return this.#refuse(exchange, 429, "this attempt has fetched too many bytes");
    }
    const [root, token, area, ...rest] = path.split("/").map(decodeSegment);
    if (root !== "" || token !== this.#token) return this.#refuse(exchange, 404, "no such address");
    if (request.method !== "GET" && request.method !== "HEAD")
      return this.#refuse(
        exchange,
        405,
        `this index does not know ${printableLine(request.method ?? "")}`,
      );
    if (area === "simple") return this.#simple(exchange, rest);
    if (area === "files") return this.#file(exchange, rest);
    if (area === "crates") return this.#crates(exchange, rest);
    return this.#refuse(exchange, 404, "no such address");
  }

  /** False, after the answer was sent, when this name would be one too many. */
  #nameAllowed(exchange: Exchange, name: string): boolean {
    if (!this.#names.has(name) && this.#names.size >= this.#setup.limits.names) {
      this.#record.limit("names");
      this.#refuse(exchange, 429, "this attempt has asked for too many projects");
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
    return this.#pages.offered(page);
  }

  async #simple(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { request, response, signal } = exchange;
    const [segment = "", slash, ...more] = rest;
    if (segment === "") return this.#refuse(exchange, 404, "this index does not list all names");
    const project = projectSegment(segment);
    if (project === null || more.length > 0 || (slash !== undefined && slash !== ""))
      return this.#refuse(exchange, 404, "no project can have this name");
    if (!project.normalised || slash === undefined) {
      response.writeHead(301, { location: `${this.indexPath}${project.name}/` }).end();
      return;
    }
    if (!this.#nameAllowed(exchange, project.name)) return;
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
    const rendered = this.#pages.render(page, format);
    const { body, etag } = rendered;
    response.setHeader("etag", etag);
    response.setHeader("vary", "Accept, Accept-Encoding");
    response.setHeader("cache-control", "max-age=60");
    if (page.lastSerial !== null) response.setHeader("x-pypi-last-serial", String(page.lastSerial));
    if (page.stale) response.setHeader("warning", '110 - "Response is Stale"');
    const unchanged = hasAlready(request, etag);
    if (!rendered.wasKept && (unchanged || request.method === "HEAD"))
      this.#renderedBytes += body.length;
    if (unchanged) {
      response.writeHead(304).end();
      return;
    }
    const zipped = acceptsGzip(request) && body.length > 1024;
    const sent = zipped ? await rendered.zipped() : body;
    if (zipped) response.setHeader("content-encoding", "gzip");
    this.#send(exchange, sent, CONTENT_TYPES[format]);
  }

  #send({ request, response }: Exchange, body: Buffer, contentType: string): void {
    response.writeHead(200, { "content-type": contentType, "content-length": body.length });
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    this.#record.countBytes(body.length);
    response.end(body);
  }

  async #file(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { response, signal } = exchange;
    const [segment = "", key, name, ...more] = rest;
    const project = projectSegment(segment);
    if (project === null || key === undefined || name === undefined || more.length > 0)
      return this.#refuse(exchange, 404, "no such file");
    if (!this.#nameAllowed(exchange, project.name)) return;
    const page = await this.#page(project.name, signal);
    const file = page?.files.find(
      (candidate) =>
        candidate.key === key &&
        (candidate.filename === name || `${candidate.filename}.metadata` === name),
    );
    if (page === null || file === undefined)
      return this.#refuse(exchange, 404, "no index of this farm lists this file");
    if (name !== file.filename) {
      const metadata = await this.#setup.catalogue.metadata(page, file, signal);
      if (metadata === null)
        return sendText(response, 404, `${file.filename} holds no metadata that can be read`);
      return this.#send(exchange, metadata, "text/plain; charset=utf-8");
    }
    const sent = await this.#sendFile(
      exchange,
      () => this.#setup.catalogue.kept(file),
      () => this.#setup.catalogue.follow(page, file),
    );
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

  async #crates(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { request, response } = exchange;
    if (rest.join("/") === "config.json") {
      const host = request.headers.host ?? "";
      if (!/^[a-z0-9.-]+(?::\d+)?$/iu.test(host))
        return this.#refuse(exchange, 400, "a Host header is needed");
      const dl = `http://${host}${this.cratesPath}dl/{crate}/{version}/{sha256-checksum}`;
      return this.#send(exchange, Buffer.from(JSON.stringify({ dl })), "application/json");
    }
    const isDownload = rest[0] === "dl" && rest.length === 4;
    const name = (isDownload ? rest[1] : rest.at(-1)) ?? "";
    if (!this.#nameAllowed(exchange, `crate:${name}`)) return;
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
        exchange,
        Buffer.from(versions.map(({ line }) => `${line}\n`).join("")),
        "text/plain; charset=utf-8",
      );
    const version = versions.find(
      (candidate) => candidate.version === rest[2] && candidate.sha256 === rest[3],
    );
    if (version === undefined) return this.#refuse(exchange, 404, "no such version of this crate");
    const sent = await this.#sendFile(
      exchange,
      () => this.#setup.catalogue.kept({ key: version.sha256, sha256: version.sha256 }),
      () => this.#setup.catalogue.followCrate(version),
    );
    if (sent !== null)
      this.#record.crate({
        name: version.name,
        version: version.version,
        sha256: version.sha256,
        sizeBytes: sent.stored.sizeBytes,
        line: version.line,
      });
  }

  #sendFile(
    exchange: Exchange,
    kept: () => Promise<StoredFile | null>,
    follow: () => Promise<FileReader>,
  ): ReturnType<typeof sendFile> {
    return sendFile(exchange, { kept, follow, count: (bytes) => this.#count(bytes) });
  }

  #count(bytes: number): void {
    this.#record.countBytes(bytes);
    if (this.#spentBytes <= this.#setup.limits.bytes) return;
    this.#record.limit("bytes");
    throw new CreameryError("usage", "this attempt has fetched too many bytes");
  }

  get #spentBytes(): number {
    return this.#record.bytes + this.#renderedBytes;
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?")[0] ?? "/";
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return "\0";
  }
}
