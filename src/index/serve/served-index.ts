import { CreameryError, reasonOf } from "../../base/errors.ts";
import { clip, printableLine } from "../../base/bounded-text.ts";
import { CatalogueAnswers } from "./catalogue-answers.ts";
import type { Witness } from "./witness.ts";
import type { Catalogue } from "../catalogue.ts";
import { decodeSegment, sendText, type Exchange } from "./exchange.ts";
import { placeOf } from "../files/file-store.ts";
import { keptLately } from "./kept-lately.ts";
import { parseInstant } from "../past/instant.ts";
import { renderNames } from "../page/names-page.ts";
import { RenderedPages, renderedOf } from "../page/rendered-pages.ts";
import type { TurnLimits } from "./request-turns.ts";
import { TurnServer } from "./turn-server.ts";
import { unrecordedWitness } from "./unrecorded-witness.ts";

/** Many people's installers at once: each that is answered may hold a file and a megabyte. */
const TURNS: TurnLimits = { running: 64, waitingPerConnection: 256, waiting: 4096 };
const CONNECTIONS = 1024;
const STALLED_MS = 120_000;
const STOP_MS = 5000;
const NAMES_FRESH_MS = 30_000;
const NO_INSTANT =
  "is no instant; write one as 2025-06-01T00:00:00Z, or a date, which is its midnight in UTC";

export interface ServePlace {
  /** An address of this host. */
  readonly host: string;
  /** 0 for one that the system gives. */
  readonly port: number;
}

export interface ServedIndexOptions {
  readonly place: ServePlace;
  readonly catalogue: Catalogue;
  /** Projects whose pages are kept. */
  readonly names: () => Promise<readonly string[]>;
  /** Is told what upstreams or this mirror did wrong. */
  readonly onFault: (fault: CreameryError) => void;
  /**
   * nginx stands before this, and finds what is below the directory of files below this path of its own (`/protected/`):
   * kept files are its to send.
   */
  readonly xAccel?: string | undefined;
  readonly now?: (() => number) | undefined;
}

/** The mirror alone, for pip and uv of whoever reaches it: no token, no attempt, no record. */
export interface ServedIndex extends AsyncDisposable {
  /** `http://127.0.0.1:8347` */
  readonly url: string;
}

/** @throws CreameryError `host-lacks` where that place is taken or can't be listened at. */
export async function openServedIndex(options: ServedIndexOptions): Promise<ServedIndex> {
  const { host, port } = options.place;
  const routes = new ServedRoutes(options);
  const server = new TurnServer(
    { route: (exchange) => routes.route(exchange), fault: options.onFault },
    {
      turns: TURNS,
      connections: CONNECTIONS,
      stalledMs: STALLED_MS,
      ended: "the mirror is being stopped",
    },
  );
  const shown = host.includes(":") ? `[${host}]` : host;
  const listening = await server.listen({ host, port }).catch((cause: unknown) => {
    const input = `${shown}:${port}`;
    throw new CreameryError("host-lacks", `${input} can't be listened at: ${reasonOf(cause)}`, {
      input,
      nextStep: "end what listens there, or name another place with --listen",
      cause,
    });
  });
  return {
    url: `http://${shown}:${listening ?? port}`,
    [Symbol.asyncDispose]: () => server.close(STOP_MS),
  };
}

class ServedRoutes {
  readonly #options: ServedIndexOptions;
  readonly #catalogue: Catalogue;
  readonly #pages = new RenderedPages();
  readonly #witness: Witness;
  readonly #now: () => number;
  #names: { readonly until: number; readonly names: Promise<readonly string[]> } | undefined;

  constructor(options: ServedIndexOptions) {
    const { catalogue, xAccel } = options;
    this.#options = options;
    const kept = keptLately((file) => catalogue.kept(file));
    this.#catalogue = xAccel === undefined ? catalogue : { ...catalogue, kept };
    this.#witness = unrecordedWitness(options.onFault);
    this.#now = options.now ?? Date.now;
  }

  async route(exchange: Exchange): Promise<void> {
    const { request, response, path } = exchange;
    const method = request.method ?? "";
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      return sendText(response, 405, `this index does not know ${printableLine(method)}`);
    }
    const [root, ...below] = path.split("/").map(decodeSegment);
    if (root !== "") return sendText(response, 404, "no such address");
    const [area, instant = "", ...rest] = below;
    if (area === "at") return await this.#past(exchange, instant, rest);
    if (area === "crates")
      return await this.#answersAt(null).crates(exchange, below.slice(1), cratesAddress(exchange));
    if (path === "/healthz") return sendText(response, 200, "ok");
    if (path === "/") return sendText(response, 200, "a mirror for pip and uv: simple/");
    return await this.#index(exchange, this.#answersAt(null), below);
  }

  /** `/at/INSTANT/...` */
  async #past(exchange: Exchange, text: string, rest: readonly string[]): Promise<void> {
    const { response } = exchange;
    const at = parseInstant(text);
    if (at === null) return sendText(response, 400, `${clip(text, 60)}: ${NO_INSTANT}`);
    // What will be then nobody knows: two who ask before and after it would be told two things.
    if (at.getTime() > this.#now())
      return sendText(
        response,
        400,
        `${clip(text, 60)} is yet to come; name an instant of the past`,
      );
    return await this.#index(exchange, this.#answersAt(at), rest);
  }

  /** What stands at the root, and below each instant: `simple/` and `files/`. */
  async #index(
    exchange: Exchange,
    answers: CatalogueAnswers,
    [area, ...rest]: readonly string[],
  ): Promise<void> {
    if (area === "files") return await answers.file(exchange, rest);
    if (area !== "simple") return sendText(exchange.response, 404, "no such address");
    if (rest.length === 0) return redirect(exchange, "simple/");
    if (rest.length === 1 && rest[0] === "") return await this.#list(exchange, answers);
    // Relative: whatever stands before may have put it below a path of its own.
    return await answers.simple(exchange, rest, rest.length > 1 ? "../" : "./");
  }

  #answersAt(before: Date | null): CatalogueAnswers {
    const { xAccel } = this.#options;
    return new CatalogueAnswers({
      catalogue: this.#catalogue,
      pages: this.#pages.at(before),
      witness: this.#witness,
      handedOver: xAccel === undefined ? undefined : ({ sha256 }) => `${xAccel}${placeOf(sha256)}`,
    });
  }

  /** Never upstream's list, which has hundreds of thousands. */
  async #list(exchange: Exchange, answers: CatalogueAnswers): Promise<void> {
    const format = answers.formatFor(exchange);
    if (format === null) return;
    const rendered = renderedOf(renderNames(await this.#heldNames(), format));
    exchange.response.setHeader("cache-control", `max-age=${NAMES_FRESH_MS / 1000}`);
    await answers.sendRendered(exchange, rendered, format);
  }

  #heldNames(): Promise<readonly string[]> {
    const now = performance.now();
    if (this.#names === undefined || this.#names.until < now)
      this.#names = { until: now + NAMES_FRESH_MS, names: this.#options.names() };
    return this.#names.names;
  }
}

function redirect({ response }: Exchange, location: string): void {
  response.writeHead(301, { location, "content-length": 0 }).end();
}

/** Where the crates are, as the client reaches us; null where its Host header is none. cargo takes no relative one. */
function cratesAddress({ request: { headers } }: Exchange): string | null {
  const host = headers.host ?? "";
  // Said by what stands before us; who says it falsely hears it back himself.
  const scheme = headers["x-forwarded-proto"] === "https" ? "https" : "http";
  return /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d+)?$/iu.test(host)
    ? `${scheme}://${host}/crates/`
    : null;
}
