const LARGE_BYTES = 512 * 1024;
const SMALL_BYTES = 64 * 1024;
/** Of those that are in use: who comes then is content with less. */
const MOST_LARGE = 8;
/** All that 64 clients take at once. */
const MOST_KEPT_BYTES = 12 * 1024 * 1024;

/**
 * Buffers that files are read into on their way out. A large one is quickest for a single client; of many at once each gets a small
 * one, and what was used is used again: memory that waits for the garbage collector is memory all the same.
 */
export class SendBuffers {
  readonly #kept: Buffer[] = [];
  #keptBytes = 0;
  #large = 0;

  /** @param mostBytes that it will ever be filled with. */
  take(mostBytes: number): Buffer {
    const isLarge = mostBytes > SMALL_BYTES && this.#large < MOST_LARGE;
    if (isLarge) this.#large++;
    const bytes = isLarge ? LARGE_BYTES : SMALL_BYTES;
    const at = this.#kept.findIndex(({ length }) => length === bytes);
    if (at < 0) return Buffer.allocUnsafeSlow(bytes);
    const [buffer = Buffer.allocUnsafeSlow(bytes)] = this.#kept.splice(at, 1);
    this.#keptBytes -= bytes;
    return buffer;
  }

  /** @param isFree false where something may still read it: it is never used again. */
  give(buffer: Buffer, isFree: boolean): void {
    if (buffer.length === LARGE_BYTES) this.#large--;
    if (!isFree || this.#keptBytes + buffer.length > MOST_KEPT_BYTES) return;
    this.#kept.push(buffer);
    this.#keptBytes += buffer.length;
  }
}
