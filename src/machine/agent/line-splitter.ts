/** Cuts bytes into lines; a line that is too long is dropped whole, and what is held never passes the bound. */
export class LineSplitter {
  readonly #maxLineBytes: number;
  readonly #emit: (line: string) => void;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #dropping = false;

  constructor(maxLineBytes: number, emit: (line: string) => void) {
    this.#maxLineBytes = maxLineBytes;
    this.#emit = emit;
  }

  push(chunk: Buffer): void {
    let at = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
      this.#keep(chunk.subarray(at, end));
      if (!this.#dropping) this.#emit(Buffer.concat(this.#held).toString("utf8"));
      this.#held = [];
      this.#heldBytes = 0;
      this.#dropping = false;
      at = end + 1;
    }
    if (at < chunk.length) this.#keep(chunk.subarray(at));
  }

  #keep(part: Buffer): void {
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#maxLineBytes) {
      this.#dropping = true;
      this.#held = [];
    } else {
      this.#held.push(part);
    }
  }
}
