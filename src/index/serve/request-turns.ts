import type { Socket } from "node:net";

export interface TurnLimits {
  /** Answered at the same time; one of each connection at most. */
  readonly running: number;
  /** Behind the one that is answered, on one connection. */
  readonly waitingPerConnection: number;
  /** On all connections. */
  readonly waiting: number;
}

export const DEFAULT_TURNS: TurnLimits = { running: 16, waitingPerConnection: 512, waiting: 4096 };

interface Connection {
  readonly waiting: (() => Promise<void>)[];
  busy: boolean;
}

/**
 * Whose request is answered when: HTTP lets a client send many on one connection before it reads the first answer,
 * and what is not answered yet must hold neither files nor buffers. Connections take turns.
 */
export class RequestTurns {
  readonly #limits: TurnLimits;
  readonly #connections = new Map<Socket, Connection>();
  /** Those that wait and of which nothing is answered now. */
  readonly #ready: Connection[] = [];
  readonly #running = new Set<Promise<void>>();
  #waiting = 0;

  constructor(limits: TurnLimits) {
    this.#limits = limits;
  }

  /**
   * @param answer never rejects; not called at all when the connection closes before.
   * @returns false when too many wait already: this one never has its turn.
   */
  queue(socket: Socket, answer: () => Promise<void>): boolean {
    const connection = this.#connectionOf(socket);
    if (
      connection.waiting.length >= this.#limits.waitingPerConnection ||
      this.#waiting >= this.#limits.waiting
    )
      return false;
    this.#waiting++;
    connection.waiting.push(answer);
    if (!connection.busy && connection.waiting.length === 1) this.#ready.push(connection);
    this.#start();
    return true;
  }

  /** Waits for those that are answered; to be called when the connections are closed. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #connectionOf(socket: Socket): Connection {
    const known = this.#connections.get(socket);
    if (known !== undefined) return known;
    const connection: Connection = { waiting: [], busy: false };
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#waiting -= connection.waiting.length;
      connection.waiting.length = 0;
      this.#connections.delete(socket);
    });
    return connection;
  }

  #start(): void {
    while (this.#running.size < this.#limits.running) {
      const connection = this.#ready.shift();
      if (connection === undefined) return;
      const answer = connection.waiting.shift();
      // Closed while it waited.
      if (answer === undefined) continue;
      this.#waiting--;
      connection.busy = true;
      const running = answer().finally(() => {
        this.#running.delete(running);
        connection.busy = false;
        if (connection.waiting.length > 0) this.#ready.push(connection);
        this.#start();
      });
      this.#running.add(running);
    }
  }
}
