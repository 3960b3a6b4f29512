import { printableLine } from "../../base/bounded-text.ts";
import type { Catalogue } from "../catalogue.ts";
import type { CrateListing } from "../crates/crates.ts";
import { renderedOf } from "../page/rendered-pages.ts";
import { hasAlready, STALE, sendText, type Exchange } from "./exchange.ts";
import { sendBody, sendTagged } from "./send-body.ts";
import { sendFile } from "./send-file.ts";
import type { AnswersSetup, Witness } from "./witness.ts";

const LINES_TYPE = "text/plain; charset=utf-8";

interface CrateAnswersSetup {
  readonly catalogue: Pick<Catalogue, "crateVersions" | "keptCrate" | "followCrate">;
  readonly witness: Witness;
  /** As of `AnswersSetup`. */
  readonly handedOver: AnswersSetup["handedOver"];
}

/** A sparse index of crates (The Cargo Book, Index Protocols) out of a catalogue, and the crates. */
export class CrateAnswers {
  readonly #catalogue: CrateAnswersSetup["catalogue"];
  readonly #witness: Witness;
  readonly #handedOver: AnswersSetup["handedOver"];

  constructor({ catalogue, witness, handedOver }: CrateAnswersSetup) {
    this.#handedOver = handedOver;
    this.#catalogue = catalogue;
    this.#witness = witness;
  }

  /** What is below `crates/`. @param crates where that is, absolute or relative to itself, to its slash; null where the Host header can't say it. */
  async answer(exchange: Exchange, rest: readonly string[], crates: string | null): Promise<void> {
    if (rest.join("/") === "config.json") {
      if (crates === null) return this.#witness.refuse(exchange, 400, "a Host header is needed");
      const dl = `${crates}dl/{crate}/{version}/{sha256-checksum}`;
      const config = Buffer.from(JSON.stringify({ dl }));
      return sendBody(exchange, config, "application/json", this.#count);
    }
    const isDownload = rest[0] === "dl" && rest.length === 4;
    const name = (isDownload ? rest[1] : rest.at(-1)) ?? "";
    if (!this.#witness.nameAllowed(exchange, `crate:${name.slice(0, 100)}`)) return;
    const prefix = isDownload ? null : rest.slice(0, -1).join("/");
    const listing = await this.#catalogue.crateVersions(name, prefix, exchange.signal);
    if (listing === null) {
      this.#witness.missing(`crate:${printableLine(name).slice(0, 100)}`);
      return sendText(exchange.response, 404, "no such crate");
    }
    if (!isDownload) return this.#lines(exchange, name, listing);
    const version = listing.versions.find(
      (candidate) => candidate.version === rest[2] && candidate.sha256 === rest[3],
    );
    if (version === undefined)
      return this.#witness.refuse(exchange, 404, "no such version of this crate");
    await sendFile(exchange, {
      kept: () => this.#catalogue.keptCrate(version),
      follow: () => this.#catalogue.followCrate(version),
      whole: (stored) => this.#witness.crate(version, stored),
      count: this.#count,
      handedOver: this.#handedOver,
    });
  }

  async #lines(exchange: Exchange, name: string, listing: CrateListing): Promise<void> {
    const { request, response } = exchange;
    this.#witness.crateIndex(name, listing);
    if (listing.stale) response.setHeader("warning", STALE);
    const rendered = renderedOf(listing.versions.map(({ line }) => `${line}\n`).join(""));
    // It was made, sent or not.
    if (hasAlready(request, rendered.etag) || request.method === "HEAD")
      this.#witness.rendered(rendered.length);
    await sendTagged(exchange, rendered, LINES_TYPE, this.#count);
  }

  readonly #count = (bytes: number): void => this.#witness.count(bytes);
}
