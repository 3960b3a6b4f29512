import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import type { ListenOptions } from "node:net";
import { finished } from "node:stream/promises";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { sendText, watchClient, type Exchange } from "./exchange.ts";
import { RequestTurns, type TurnLimits } from "./request-turns.ts";

/** Who answers, and is told of what comes of it. */
export interface Answering {
  /** Answers one request. What it throws is told the client while that can be. */
  route(exchange: Exchange): Promise<void>;
  /** An upstream's or the mirror's own. */
  fault(fault: CreameryError): void;
  /** More waited than may: the connection was ended. */
  turnedAway?(path: string): void;
  /** An answer begins. @returns what is called at its end, however it ends. */
  began?(exchange: Exchange): () => void;
}

export interface TurnServerOptions {
  readonly turns: TurnLimits;
  readonly connections: number;
  /** A connection on which nothing moves for so long is ended; 0 for never. */
  readonly stalledMs?: number;
  /** What answers that are cut off are told. */
  readonly ended: string;
}

const HTTP: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  requestTimeout: 60_000,
  keepAliveTimeout: 30_000,
};

/** Requests of clients that are not to be trusted, answered by turns; what fails is a line, or an answer cut short. */
export class TurnServer {
  readonly #answering: Answering;
  readonly #ended: string;
  readonly #server: Server;
  readonly #turns: RequestTurns;
  readonly #abort = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(answering: Answering, options: TurnServerOptions) {
    this.#answering = answering;
    this.#ended = options.ended;
    this.#turns = new RequestTurns(options.turns);
    this.#server = createServer(HTTP, (request, response) => this.#queue(request, response));
    this.#server.maxConnections = options.connections;
    this.#server.timeout = options.stalledMs ?? 0;
  }

  /** @returns the port; null for a socket's path. @throws what listening throws. */
  async listen(place: ListenOptions): Promise<number | null> {
    this.#server.listen(place);
    // Rejects with an error that comes in its stead.
    await once(this.#server, "listening");
    // What no connection can be taken for, such as too many open files: never the process's end.
    this.#server.on("error", (thrown) => this.#answering.fault(asFault(thrown)));
    const address = this.#server.address();
    return address === null || typeof address === "string" ? null : address.port;
  }

  /** @param graceMs for so long what is being answered may go on. */
  close(graceMs = 0): Promise<void> {
    return (this.#closing ??= this.#close(graceMs));
  }

  async #close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    if (graceMs > 0) {
      this.#server.closeIdleConnections();
      const signal = AbortSignal.timeout(graceMs);
      await within(this.#turns.settled(), { signal }).catch(() => undefined);
    }
    this.#abort.abort(new CreameryError("interrupted", this.#ended));
    this.#server.closeAllConnections();
    await closed;
    await this.#turns.settled();
  }

  #queue(request: IncomingMessage, response: ServerResponse): void {
    // Nobody else hears these, and an error that nobody hears ends the process.
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    if (request.socket.destroyed) return;
    const answer = (): Promise<void> =>
      this.#answer(request, response).catch((thrown: unknown) => {
        this.#answering.fault(asFault(thrown));
        request.socket.destroy();
      });
    if (this.#closing === undefined && this.#turns.queue(request.socket, answer)) return;
    if (this.#closing === undefined) this.#answering.turnedAway?.(pathOf(request));
    request.socket.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    using client = watchClient(request, response);
    const signal = AbortSignal.any([this.#abort.signal, client.signal]);
    const exchange = { request, response, path: pathOf(request), signal };
    const ended = this.#answering.began?.(exchange);
    try {
      try {
        await this.#answering.route(exchange);
        if (!response.writableEnded) response.end();
      } catch (thrown) {
        this.#fail(exchange, thrown);
      }
      await within(finished(response), { signal }).catch(() => undefined);
    } finally {
      ended?.();
    }
  }

  #fail({ request, response, signal }: Exchange, thrown: unknown): void {
    // A write can fail before the connection's end is told.
    const gone = signal.aborted || (request.socket.destroyed && !response.writableFinished);
    if (!gone) {
      const fault = asFault(thrown);
      this.#answering.fault(fault);
      if (!response.headersSent) {
        // What was meant for the file.
        for (const name of response.getHeaderNames()) response.removeHeader(name);
        sendText(response, fault.code === "deadline" ? 504 : 502, fault.line);
        return;
      }
    }
    // Never ended as if it were whole.
    response.destroy();
  }
}

function asFault(thrown: unknown): CreameryError {
  return thrown instanceof CreameryError
    ? thrown
    : new CreameryError("internal", reasonOf(thrown), { cause: thrown });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "/").split("?")[0] ?? "/";
}
