const BLOCK_BYTES = 64 * 1024;

/** Bytes that come in pieces: however small the pieces, what is held is little more than their bytes. */
export class JoinedBytes {
  readonly #blocks: Buffer[] = [];
  #open = Buffer.alloc(0);
  #used = 0;

  /** Copies it. */
  add(piece: Buffer): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#used === this.#open.length) this.#begin(piece.length - at);
      const copied = piece.copy(this.#open, this.#used, at);
      this.#used += copied;
      at += copied;
    }
  }

  all(): Buffer {
    return Buffer.concat([...this.#blocks, this.#open.subarray(0, this.#used)]);
  }

  #begin(wantedBytes: number): void {
    this.#blocks.push(this.#open);
    this.#open = Buffer.allocUnsafeSlow(Math.max(BLOCK_BYTES, wantedBytes));
    this.#used = 0;
  }
}
