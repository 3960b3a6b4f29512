import { createHash, randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";

import { CreameryError } from "../../base/errors.ts";
import { printableLine } from "../../base/bounded-text.ts";
import { recordedFile, type AttemptRecord } from "../record/attempt-record.ts";
import { cargoConfig } from "../crates/crates.ts";
import { decodeSegment, sendText, type Exchange } from "./exchange.ts";
import { CatalogueAnswers } from "./catalogue-answers.ts";
import type { Witness } from "./witness.ts";
import type { Catalogue } from "../catalogue.ts";
import type { ProjectPage, IndexFile } from "../page/project-page.ts";
import { GitAnswers, type GitWitness } from "../git/git-answers.ts";
import type { GitCatalogue } from "../git/git-catalogue.ts";
import type { Places } from "../git/places.ts";
import { RecordBuilder } from "../record/record-builder.ts";
import { RenderedPages } from "../page/rendered-pages.ts";
import { replacedFiles } from "../page/replaced-files.ts";
import { DEFAULT_TURNS } from "./request-turns.ts";
import { TurnServer } from "./turn-server.ts";

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

/** For one attempt, submodules included. */
const MAX_REPOSITORIES = 64;

/** One attempt's own index, on a Unix socket, behind a token. */
export interface Endpoint extends AsyncDisposable {
  /** `/TOKEN/simple/` */
  readonly indexPath: string;
  /** `/TOKEN/crates/` */
  readonly cratesPath: string;
  /** `/TOKEN/git/`: what follows is a repository's address without `https://`. */
  readonly gitPath: string;
  /** Text for the guest's `$CARGO_HOME/config.toml`. @param origin as the guest reaches it, `http://127.0.0.1:PORT`. */
  cargoConfig(origin: string): string;
  /** Whether the release itself is being built: what is asked for then is what its build environment needs. */
  building(now: boolean): void;
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
  /** Null where no repositories are served. */
  readonly git: { readonly catalogue: GitCatalogue; readonly places: Places } | null;
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
  readonly gitPath: string;
  readonly #setup: EndpointSetup;
  readonly #server: TurnServer;
  readonly #record: RecordBuilder;
  readonly #token = randomBytes(18).toString("base64url");
  readonly #names = new Set<string>();
  readonly #repositories = new Set<string>();
  readonly #answers: CatalogueAnswers;
  readonly #git: GitAnswers | null;
  #requests = 0;
  /** Of pages that were made for answers without a body. */
  #renderedBytes = 0;

  constructor(setup: EndpointSetup) {
    this.#setup = setup;
    this.indexPath = `/${this.#token}/simple/`;
    this.cratesPath = `/${this.#token}/crates/`;
    this.gitPath = `/${this.#token}/git/`;
    this.#record = new RecordBuilder({
      attemptId: setup.attemptId,
      openedAt: new Date().toISOString(),
      upstreams: [...setup.catalogue.addresses],
      before: setup.before?.toISOString() ?? null,
      replayed: setup.catalogue.replayed,
    });
    this.#answers = new CatalogueAnswers({
      catalogue: setup.catalogue,
      pages: new RenderedPages().at(setup.before),
      witness: this.#witness(),
    });
    this.#git =
      setup.git === null
        ? null
        : new GitAnswers(setup.git.catalogue, this.#gitWitness(), setup.git.places);
    this.#server = new TurnServer(
      {
        route: (exchange) => this.#route(exchange),
        fault: ({ code, line }) => this.#record.fault(code, line),
        turnedAway: (path) =>
          this.#record.refuse(this.#shownPath(path), "too many requests at once"),
        began: (exchange) => this.#began(exchange),
      },
      { turns: DEFAULT_TURNS, connections: 256, ended: "the attempt has ended" },
    );
  }

  async listen(): Promise<void> {
    const { socketPath } = this.#setup;
    await rm(socketPath, { force: true });
    await this.#server.listen({ path: socketPath });
  }

  cargoConfig(origin: string): string {
    return cargoConfig(`${origin}${this.cratesPath}`);
  }

  building(now: boolean): void {
    this.#record.building = now;
  }

  record(): AttemptRecord {
    return this.#record.build();
  }

  async close(): Promise<void> {
    await this.#server.close();
    await this.#setup.git?.catalogue[Symbol.asyncDispose]();
    await rm(this.#setup.socketPath, { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #began({ request, response, path }: Exchange): () => void {
    const atMs = this.#record.nowMs;
    const bytesBefore = request.socket.bytesWritten;
    return () =>
      this.#record.request({
        atMs,
        method: request.method ?? "",
        path: this.#shownPath(path),
        status: response.statusCode,
        bytes: Math.max(0, request.socket.bytesWritten - bytesBefore),
      });
  }

  #shownPath(path: string): string {
    // What was typed before a host may be a password.
    const shown = path
      .replace(`/${this.#token}/`, "/")
      .replace(/^\/git\/[^/]*(?:@|%40)/iu, "/git/***@");
    return printableLine(shown);
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
    if (area === "git") {
      if (this.#git !== null) return this.#git.answer(exchange, rest);
      return this.#refuse(exchange, 404, "this farm serves no repositories");
    }
    if (request.method !== "GET" && request.method !== "HEAD")
      return this.#refuse(
        exchange,
        405,
        `this index does not know ${printableLine(request.method ?? "")}`,
      );
    if (area === "simple") return this.#answers.simple(exchange, rest, this.indexPath);
    if (area === "files") return this.#answers.file(exchange, rest);
    if (area === "crates")
      return this.#answers.crates(exchange, rest, this.#cratesAddress(exchange));
    return this.#refuse(exchange, 404, "no such address");
  }

  #recordPage(page: ProjectPage): void {
    const { name, contentSha256, upstream, stale, lastSerial, files, past } = page;
    const undated = past?.undated.length ?? 0;
    const row = { project: name, sha256: contentSha256, upstream, stale, lastSerial, undated };
    this.#record.page(row);
    for (const { filename, was, is } of replacedFiles(page))
      this.#record.replaced({ project: name, filename, was, is });
    // Not that the project has no release: nobody can say which it had.
    if (undated > 0 && files.length === 0 && past?.newer === 0)
      this.#record.fault("upstream", `${name}: the index does not say when files were uploaded`);
  }

  /** What an index says no hash of can't be named again. */
  #recordLook(page: ProjectPage, file: IndexFile, metadata: Buffer): void {
    const { sha256, sizeBytes } = file;
    if (sha256 === null) return;
    this.#record.look({
      ...recordedFile(page, file, { sha256, sizeBytes: sizeBytes ?? 0 }),
      metadataSha256: createHash("sha256").update(metadata).digest("hex"),
    });
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

  /** All that is asked and answered goes into the attempt's record, and counts. */
  #witness(): Witness {
    return {
      nameAllowed: (exchange, name) => this.#nameAllowed(exchange, name),
      refuse: (exchange, status, why) => this.#refuse(exchange, status, why),
      missing: (name) => this.#record.missing(name),
      page: (page) => this.#recordPage(page),
      file: (page, file, stored) => this.#record.file(recordedFile(page, file, stored)),
      looked: (page, file, metadata) => this.#recordLook(page, file, metadata),
      crate: ({ name, version, sha256, line }, { sizeBytes }) =>
        this.#record.crate({ name, version, sha256, sizeBytes, line }),
      crateIndex: (name, { versions, stale }) =>
        this.#record.crateIndex({
          name: name.toLowerCase(),
          lines: versions.map(({ line }) => line),
          stale,
        }),
      count: (bytes) => this.#count(bytes),
      rendered: (bytes) => {
        this.#renderedBytes += bytes;
      },
    };
  }

  #gitWitness(): GitWitness {
    return {
      nameAllowed: (exchange, name) => this.#repositoryAllowed(exchange, name),
      refuse: ({ response, path }, status, why) => {
        this.#record.refuse(this.#shownPath(path), why);
        if (!response.headersSent) sendText(response, status, why);
      },
      repository: (told) => this.#record.repository(told),
      commits: (url, hashes) => this.#record.commits(url, hashes),
      count: (bytes) => this.#count(bytes),
    };
  }

  /** As `#nameAllowed`: each may be the fetch of a whole history. */
  #repositoryAllowed(exchange: Exchange, name: string): boolean {
    if (!this.#repositories.has(name) && this.#repositories.size >= MAX_REPOSITORIES) {
      this.#record.limit("names");
      this.#refuse(exchange, 429, "this attempt has asked for too many repositories");
      return false;
    }
    this.#repositories.add(name);
    return this.#nameAllowed(exchange, name);
  }

  /** Where this attempt's crates are, as the client reaches us; null where its Host header is none. */
  #cratesAddress({ request }: Exchange): string | null {
    const host = request.headers.host ?? "";
    return /^[a-z0-9.-]+(?::\d+)?$/iu.test(host) ? `http://${host}${this.cratesPath}` : null;
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
