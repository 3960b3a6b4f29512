import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

import { clip, printableLine } from "../../base/bounded-text.ts";
import { CreameryError } from "../../base/errors.ts";
import type { Exchange } from "../serve/exchange.ts";
import { referencesOf, type KeptReference } from "./bare-repository.ts";
import type { GitCatalogue, Offered } from "./git-catalogue.ts";
import { Places } from "./places.ts";
import { parseUploadRequest, pktLine, type UploadRequest } from "./pkt-lines.ts";
import { servedAddress } from "./served-address.ts";
import { runUploadPack } from "./upload-pack.ts";

/** Who is told what is asked and answered, and may refuse it. */
export interface GitWitness {
  /** False, after the answer was sent, when this one would be one too many. */
  nameAllowed(exchange: Exchange, name: string): boolean;
  refuse(exchange: Exchange, status: number, why: string): void;
  repository(told: ToldRepository): void;
  /** What was handed out. */
  commits(url: string, hashes: readonly string[]): void;
  /** Before bytes are sent. @throws CreameryError when they are too many. */
  count(bytes: number): void;
}

export interface ToldRepository {
  readonly url: string;
  /** The branch that a clone begins with; null where there is none. */
  readonly head: string | null;
  readonly references: readonly KeptReference[];
  readonly stale: boolean;
}

/** Of what a client posts: what it wants and has. */
const MAX_BODY_BYTES = 4 << 20;
const MAX_PLAIN_BYTES = 16 << 20;
const MAX_REFERENCES = 5000;
const MAX_WANTS = 20_000;
/** Of those of all attempts: one that reads slowly leaves others some. */
const OWN_PLACES = 2;

/** Answers git clients out of a catalogue of repositories, by git's smart protocol and for reading alone. */
export class GitAnswers {
  readonly #catalogue: GitCatalogue;
  readonly #witness: GitWitness;
  readonly #places: Places;
  readonly #own = new Places(OWN_PLACES);

  /** @param places for git's own server program, of all attempts of a service together. */
  constructor(catalogue: GitCatalogue, witness: GitWitness, places: Places) {
    this.#catalogue = catalogue;
    this.#witness = witness;
    this.#places = places;
  }

  /** `git/HOST/PATH/info/refs` and `git/HOST/PATH/git-upload-pack`. @param rest decoded, what follows `git/`. */
  async answer(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { request } = exchange;
    const last = rest.at(-1);
    if (request.method === "GET" && last === "refs" && rest.at(-2) === "info") {
      const service = new URLSearchParams((request.url ?? "").split("?")[1]).get("service");
      if (service === "git-upload-pack") return this.#advertise(exchange, rest.slice(0, -2));
      return this.#refuse(exchange, 403, service === null ? SMART_ALONE : READ_ALONE);
    }
    if (request.method === "POST" && last === "git-upload-pack")
      return this.#upload(exchange, rest.slice(0, -1));
    if (last === "git-receive-pack") return this.#refuse(exchange, 403, READ_ALONE);
    return this.#refuse(exchange, 404, SMART_ALONE);
  }

  async #advertise(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const offered = await this.#offered(exchange, rest);
    if (offered === null) return;
    const protocol = protocolOf(exchange.request);
    // The second version tells of references when it is asked for them.
    if (protocol !== "version=2") await this.#tell(offered, [], exchange.signal);
    const { response } = exchange;
    response.writeHead(200, headers("advertisement"));
    if (protocol !== "version=2")
      response.write(Buffer.concat([pktLine("# service=git-upload-pack\n"), Buffer.from("0000")]));
    await this.#run(exchange, offered.path, Buffer.alloc(0), true);
  }

  async #upload(exchange: Exchange, rest: readonly string[]): Promise<void> {
    const { request, signal, response } = exchange;
    const input = await readPosted(request);
    const asked = input === null ? null : parseUploadRequest(input);
    if (input === null || asked === null || asked.wants.length > MAX_WANTS)
      return this.#refuse(exchange, 400, "is no request of a git client");
    const offered = await this.#offered(exchange, rest);
    if (offered === null) return;
    const refused = await this.#bring(offered, asked, signal);
    response.writeHead(200, headers("result"));
    if (refused === null) return this.#run(exchange, offered.path, input, false);
    // A client shows what it is told by its own protocol; of a status it shows the number.
    this.#witness.refuse(exchange, 200, refused);
    response.end(pktLine(`ERR ${clip(printableLine(refused), 500)}\n`));
  }

  /** @returns why not. */
  async #bring(
    offered: Extract<Offered, { readonly kind: "offered" }>,
    { command, prefixes, wants }: UploadRequest,
    signal: AbortSignal,
  ): Promise<string | null> {
    if (command === "ls-refs") await this.#tell(offered, prefixes, signal);
    if (wants.length === 0) return null;
    const refused = await this.#catalogue.bring(offered.url, wants, signal);
    if (refused !== null) return refused.why;
    this.#witness.commits(offered.url, wants);
    return null;
  }

  async #offered(
    exchange: Exchange,
    rest: readonly string[],
  ): Promise<Extract<Offered, { readonly kind: "offered" }> | null> {
    const address = servedAddress(rest);
    if (address.kind === "refused") {
      this.#refuse(exchange, address.status, address.why);
      return null;
    }
    if (!this.#witness.nameAllowed(exchange, `git:${address.url}`)) return null;
    const offered = await this.#catalogue.repository(address.url, exchange.signal);
    if (offered.kind === "offered") return offered;
    this.#refuse(exchange, offered.status, offered.why);
    return null;
  }

  async #tell(
    { path, url, stale }: Extract<Offered, { readonly kind: "offered" }>,
    prefixes: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { references, head } = await referencesOf({ path, url }, MAX_REFERENCES, signal);
    const shown = references.filter(
      ({ name }) =>
        prefixes.length === 0 ||
        name === head ||
        prefixes.some((prefix) => name.startsWith(prefix)),
    );
    this.#witness.repository({ url, head, references: shown, stale: stale !== null });
  }

  async #run(
    { request, response, signal }: Exchange,
    path: string,
    input: Buffer,
    advertise: boolean,
  ): Promise<void> {
    using _own = await this.#own.take(signal);
    using _place = await this.#places.take(signal);
    await runUploadPack({
      path,
      advertise,
      input,
      response,
      signal,
      protocol: protocolOf(request),
      count: (bytes) => this.#witness.count(bytes),
    });
  }

  #refuse(exchange: Exchange, status: number, why: string): void {
    this.#witness.refuse(exchange, status, why);
  }
}

const SMART_ALONE = "repositories are served by git's smart protocol alone";
const READ_ALONE = "repositories are served for reading alone";

/** What a client may say of itself goes to no program unseen. */
function protocolOf(request: IncomingMessage): string | null {
  const said = request.headers["git-protocol"];
  return typeof said === "string" && /^version=[012]$/u.test(said) ? said : null;
}

function headers(what: "advertisement" | "result"): Record<string, string> {
  return {
    "content-type": `application/x-git-upload-pack-${what}`,
    "cache-control": "no-cache",
  };
}

/** @returns null for what is too large or can't be unpacked. */
async function readPosted(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) throw new CreameryError("internal", "a body that is no bytes");
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!/\bgzip\b/iu.test(request.headers["content-encoding"] ?? "")) return body;
  return await promisify(gunzip)(body, { maxOutputLength: MAX_PLAIN_BYTES }).catch(() => null);
}
