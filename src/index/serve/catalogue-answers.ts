import type { ServerResponse } from "node:http";

import { atMost } from "../../base/at-most.ts";
import { CreameryError } from "../../base/errors.ts";
import type { Catalogue } from "../catalogue.ts";
import { CrateAnswers } from "./crate-answers.ts";
import { hasAlready, sendText, STALE, type Exchange } from "./exchange.ts";
import type { FileReader, StoredFile } from "../files/file-store.ts";
import type { PageOptions } from "../page/page-store.ts";
import {
  projectSegment,
  type IndexFile,
  type PagePast,
  type ProjectPage,
} from "../page/project-page.ts";
import { PROVENANCE_TYPE } from "../metadata/provenances.ts";
import { CONTENT_TYPES, negotiate, type PageFormat } from "../page/render-page.ts";
import type { PagesAt, Rendered, RenderedPage } from "../page/rendered-pages.ts";
import { isSentZipped, sendBody, sendTagged } from "./send-body.ts";
import { sendFile } from "./send-file.ts";
import type { AnswersSetup, Witness } from "./witness.ts";

const SPOKEN = ["json", "html-v1", "html"] as const;

/** Of all that this process makes. */
const renderingAtMost = atMost(2);

/** Answers out of a catalogue, whoever asks: an attempt at its own endpoint, or another host of the farm. */
export class CatalogueAnswers {
  readonly #catalogue: Catalogue;
  readonly #pages: PagesAt;
  readonly #witness: Witness;
  readonly #handedOver: AnswersSetup["handedOver"];
  readonly #gone: AnswersSetup["gone"];
  readonly #crates: CrateAnswers;

  constructor({ catalogue, pages, witness, handedOver, gone }: AnswersSetup) {
    this.#handedOver = handedOver;
    this.#gone = gone;
    this.#catalogue = catalogue;
    this.#pages = pages;
    this.#witness = witness;
    this.#crates = new CrateAnswers({ catalogue, witness, handedOver });
  }

  /** `simple/NAME/`. @param indexPath where that is, from the root and to its slash. */
  async simple(exchange: Exchange, rest: readonly string[], indexPath: string): Promise<void> {
    const { response } = exchange;
    const [segment = "", slash, ...more] = rest;
    if (segment === "") return this.#refuse(exchange, 404, "this index does not list all names");
    const project = projectSegment(segment);
    if (project === null || more.length > 0 || (slash !== undefined && slash !== ""))
      return this.#refuse(exchange, 404, "no project can have this name");
    if (!project.normalised || slash === undefined) {
      response.writeHead(301, { location: `${indexPath}${project.name}/` }).end();
      return;
    }
    if (!this.#witness.nameAllowed(exchange, project.name)) return;
    const format = this.formatFor(exchange);
    if (format === null) return;
    await this.page(exchange, project.name, format, 60);
  }

  /**
   * A project's page in one form.
   * @param name normalised. @param maxAgeSeconds for which it may be used unasked.
   * @param missing answers where no index has it.
   */
  async page(
    exchange: Exchange,
    name: string,
    format: PageFormat,
    maxAgeSeconds: number,
    missing?: () => Promise<void>,
  ): Promise<void> {
    const { request, response, signal } = exchange;
    // A host of the farm that knows of more than it was sent; an attempt takes what its farm has.
    const anew = format === "farm" && /\bno-cache\b/iu.test(request.headers["cache-control"] ?? "");
    const page = await this.#page(name, signal, { anew });
    if (page === null && missing !== undefined) return await missing();
    if (page === null) return sendText(response, 404, `${name} is on no index of this farm`);
    const rendered = await this.#rendered(exchange, page, format);
    response.setHeader("cache-control", `max-age=${maxAgeSeconds}`);
    if (page.lastSerial !== null) response.setHeader("x-pypi-last-serial", String(page.lastSerial));
    if (page.stale) response.setHeader("warning", STALE);
    if (page.past !== undefined) tellPast(response, page.past);
    if (!rendered.wasKept && (hasAlready(request, rendered.etag) || request.method === "HEAD"))
      this.#witness.rendered(rendered.length);
    await this.sendRendered(exchange, rendered, format);
  }

  /** Pages that are to be made are made a few at a time: many at once would hold as many bodies. */
  async #rendered(
    { request, signal }: Exchange,
    page: ProjectPage,
    format: PageFormat,
  ): Promise<RenderedPage> {
    if (this.#pages.isKept(page, format)) return this.#pages.render(page, format);
    return await renderingAtMost(async () => {
      signal.throwIfAborted();
      const rendered = this.#pages.render(page, format);
      const isSent = request.method === "GET" && !hasAlready(request, rendered.etag);
      if (isSent && isSentZipped(request, rendered.length)) await rendered.zipped();
      return rendered;
    });
  }

  /** What was rendered, unless the client has it already. */
  async sendRendered(exchange: Exchange, rendered: Rendered, format: PageFormat): Promise<void> {
    const type = CONTENT_TYPES[format];
    await sendTagged(exchange, rendered, type, (bytes) => this.#witness.count(bytes));
  }

  /** The form that the client prefers; null, after the answer was sent, when it accepts none of ours. */
  formatFor({ request, response }: Exchange): PageFormat | null {
    const format = negotiate(request.headers.accept);
    if (format === null) {
      const spoken = SPOKEN.map((known) => CONTENT_TYPES[known]).join(", ");
      sendText(response, 406, `this index speaks ${spoken}`);
    }
    return format;
  }

  /** `files/NAME/KEY/FILE`, its `.metadata` and its `.provenance`. */
  async file(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { response, signal } = exchange;
    const [segment = "", key, name, ...more] = rest;
    const project = projectSegment(segment);
    if (project === null || key === undefined || name === undefined || more.length > 0)
      return this.#refuse(exchange, 404, "no such file");
    if (!this.#witness.nameAllowed(exchange, project.name)) return;
    const isIt = (candidate: IndexFile): boolean =>
      candidate.key === key &&
      ["", ".metadata", ".provenance"].some((also) => `${candidate.filename}${also}` === name);
    const listing = await this.#page(project.name, signal);
    const listed = listing?.files.find(isIt);
    const found =
      listing === null || listed === undefined
        ? await this.#gone?.(project.name, isIt, signal)
        : { page: listing, file: listed };
    if (found === undefined || found === null)
      return this.#refuse(exchange, 404, "no index of this farm lists this file");
    const { page, file } = found;
    if (name.endsWith(".provenance")) {
      const provenance = await this.#catalogue.provenance(page, file, signal);
      if (provenance === null) return sendText(response, 404, `${file.filename} has no provenance`);
      return this.send(exchange, provenance, PROVENANCE_TYPE);
    }
    if (name !== file.filename) {
      const metadata = await this.#catalogue.metadata(page, file, signal);
      if (metadata === null)
        return sendText(response, 404, `${file.filename} holds no metadata that can be read`);
      this.#witness.looked(page, file, metadata);
      return this.send(exchange, metadata, "text/plain; charset=utf-8");
    }
    const sent = await this.#sendFile(
      exchange,
      () => this.#catalogue.kept(file),
      () => this.#catalogue.follow(page, file),
      (stored) => this.#witness.file(page, file, stored),
    );
    if (sent?.fetched === true) await this.#confirm(page, file, sent.stored);
  }

  /** `crates/...`. @param crates as `CrateAnswers.answer`. */
  crates(exchange: Exchange, rest: readonly string[], crates: string | null): Promise<void> {
    return this.#crates.answer(exchange, rest, crates);
  }

  send(exchange: Exchange, body: Buffer, contentType: string): void {
    sendBody(exchange, body, contentType, (bytes) => this.#witness.count(bytes));
  }

  async #page(
    name: string,
    signal: AbortSignal,
    options: PageOptions = {},
  ): Promise<ProjectPage | null> {
    const { before } = this.#pages;
    const at = before === null ? {} : { at: before };
    const page = await this.#catalogue.page(name, signal, { ...options, ...at });
    if (page === null) {
      this.#witness.missing(name);
      return null;
    }
    const offered = this.#pages.offered(page);
    this.#witness.page(offered);
    return offered;
  }

  async #confirm(page: ProjectPage, file: IndexFile, stored: StoredFile): Promise<void> {
    try {
      await this.#catalogue.confirmMetadata(page, file, stored);
    } catch (thrown) {
      if (!(thrown instanceof CreameryError) || this.#witness.metadataDiffers === undefined)
        throw thrown;
      this.#witness.metadataDiffers(thrown);
    }
  }

  #refuse(exchange: Exchange, status: number, why: string): void {
    this.#witness.refuse(exchange, status, why);
  }

  #sendFile(
    exchange: Exchange,
    kept: () => Promise<StoredFile | null>,
    follow: () => Promise<FileReader>,
    whole: (stored: StoredFile) => void,
  ): ReturnType<typeof sendFile> {
    return sendFile(exchange, {
      kept,
      follow,
      whole,
      count: (bytes) => this.#witness.count(bytes),
      handedOver: this.#handedOver,
    });
  }
}

/** Which instant this is of, and what of it is not known. */
function tellPast(response: ServerResponse, { at, undated, lost }: PagePast): void {
  response.setHeader("x-creamery-at", at.toISOString());
  if (undated.length > 0) response.setHeader("x-creamery-undated", String(undated.length));
  if (lost.length > 0) response.setHeader("x-creamery-lost", String(lost.length));
}
