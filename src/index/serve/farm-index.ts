import { finished } from "node:stream/promises";

import { CreameryError } from "../../base/errors.ts";
import { PROBLEM_TYPE, problemOf } from "../../base/problem.ts";
import { within } from "../../base/within.ts";
import { CatalogueAnswers } from "./catalogue-answers.ts";
import type { Catalogue } from "../catalogue.ts";
import { decodeSegment, sendText, watchClient, type Exchange } from "./exchange.ts";
import type { FarmRepositories } from "../git/farm-repositories.ts";
import { FARM_PAGE_TYPE, renderFarmPage } from "../page/farm-page.ts";
import type { Mirror } from "../mirror.ts";
import { projectSegment } from "../page/project-page.ts";
import { RenderedPages } from "../page/rendered-pages.ts";
import { unrecordedWitness } from "./unrecorded-witness.ts";

/** For which a host of the farm may use a page unasked: no host may know a release much later than the farm does. */
const PAGE_SECONDS = 30;
const CRATES_SECONDS = 60;

export interface FarmIndexOptions {
  readonly catalogue: Catalogue;
  /** What is known of what its indexes list no more. */
  readonly past: FarmPast;
  /** Of source repositories; null where this farm has none. */
  readonly repositories: FarmRepositories | null;
  /** Is told of what an upstream did wrong that no answer could tell any more. */
  readonly onFault: (fault: CreameryError) => void;
  /** Ends all answers. */
  readonly signal: AbortSignal;
}

export interface FarmPast {
  readonly page: Mirror["pastPage"];
  readonly file: Mirror["goneFile"];
}

/** The farm's mirror for its other hosts: the same pages, files, crates and repositories, out of the same downloads. */
export class FarmIndex {
  readonly #catalogue: Catalogue;
  readonly #past: FarmPast;
  readonly #repositories: FarmRepositories | null;
  readonly #answers: CatalogueAnswers;
  readonly #signal: AbortSignal;
  readonly #onFault: FarmIndexOptions["onFault"];

  constructor({ catalogue, past, repositories, onFault, signal }: FarmIndexOptions) {
    this.#catalogue = catalogue;
    this.#past = past;
    this.#repositories = repositories;
    this.#onFault = onFault;
    this.#signal = signal;
    this.#answers = new CatalogueAnswers({
      catalogue,
      pages: new RenderedPages().at(null),
      witness: unrecordedWitness(onFault),
      gone: past.file,
    });
  }

  /**
   * Answers one request, to its end. Never rejects: a fault is the answer, as a problem, or an answer cut short.
   * @param root the index's own path, to its slash: `/api/v1/index/`.
   * @param host which asks, as it is known here.
   */
  async answer(
    { request, response }: Pick<Exchange, "request" | "response">,
    root: string,
    host: string,
  ): Promise<void> {
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    using client = watchClient(request, response);
    const signal = AbortSignal.any([this.#signal, client.signal]);
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const exchange = { request, response, path, signal };
    try {
      await this.#route(exchange, root, host);
      if (!response.writableEnded) response.end();
    } catch (thrown) {
      this.#fail(exchange, thrown);
    }
    await within(finished(response), { signal }).catch(() => undefined);
  }

  async #route(exchange: Exchange, root: string, host: string): Promise<void> {
    const { response, path } = exchange;
    const below = path.startsWith(root) ? path.slice(root.length) : null;
    const [area, ...rest] = (below ?? "\0").split("/").map(decodeSegment);
    if (this.#repositories !== null) {
      if (area === "git") return await this.#repositories.git(exchange, rest, host);
      if (area === "repositories") return await this.#repositories.tell(exchange, rest, host);
    }
    if (area === "" && rest.length === 0) {
      const told = { schema: 1, addresses: this.#catalogue.addresses };
      return this.#answers.send(
        exchange,
        Buffer.from(JSON.stringify(told)),
        "application/json; charset=utf-8",
      );
    }
    if (area === "pages") return await this.#page(exchange, rest);
    if (area === "simple") return this.#answers.simple(exchange, rest, `${root}simple/`);
    if (area === "files") return this.#answers.file(exchange, rest);
    if (area === "crates") {
      response.setHeader("cache-control", `max-age=${CRATES_SECONDS}`);
      return this.#answers.crates(exchange, rest, "");
    }
    return sendText(response, 404, "no such address");
  }

  async #page(exchange: Exchange, [segment = "", ...more]: readonly string[]): Promise<void> {
    const project = projectSegment(segment);
    if (project === null || !project.normalised || more.length > 0)
      return sendText(exchange.response, 404, "no project can have this name");
    const { name } = project;
    return this.#answers.page(exchange, name, "farm", PAGE_SECONDS, () =>
      this.#missing(exchange, name),
    );
  }

  /** That no index has it, and what was on its page when one had. */
  async #missing({ request, response, signal }: Exchange, name: string): Promise<void> {
    const past = await this.#past.page(name, signal);
    if (past === null) return sendText(response, 404, `${name} is on no index of this farm`);
    const body = Buffer.from(renderFarmPage(past));
    response.writeHead(404, { "content-type": FARM_PAGE_TYPE, "content-length": body.length });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  #fail({ request, response, signal }: Exchange, thrown: unknown): void {
    const gone = signal.aborted || (request.socket.destroyed && !response.writableFinished);
    if (!gone && !response.headersSent) {
      const problem = problemOf(thrown);
      if (!(thrown instanceof CreameryError))
        this.#onFault(new CreameryError("internal", "an answer failed", { cause: thrown }));
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      const body = Buffer.from(JSON.stringify(problem));
      response
        .writeHead(problem.status, { "content-type": PROBLEM_TYPE, "content-length": body.length })
        .end(body);
      return;
    }
    // Never ended as if it were whole.
    response.destroy();
  }
}
