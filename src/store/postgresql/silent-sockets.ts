import { Socket } from "node:net";

/**
 * Sockets that are given up when nothing has come or gone for a while. A server whose host is gone, or lies behind a cut wire,
 * says nothing and refuses nothing: without this each question waits until TCP gives up, a quarter of an hour, and what
 * was sent is sent again at longer and longer intervals, so that a wire that is whole again is not noticed for as long.
 */
export class SilentSockets {
  readonly #silentMs: number;
  #begun = false;

  constructor(silentMs: number) {
    this.#silentMs = silentMs;
  }

  /** Until then nothing is given up: bringing a schema up to date takes as long as it takes. */
  begin(): void {
    this.#begun = true;
  }

  open(): Socket {
    const socket = new Socket();
    socket.setTimeout(this.#silentMs, () => {
      if (this.#begun)
        socket.destroy(new Error(`PostgreSQL sent nothing for ${this.#silentMs / 1000} s`));
    });
    return socket;
  }
}
