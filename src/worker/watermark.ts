/**
 * Whether something has fallen below a mark, and risen well above it again: from then on, and not before, it counts as
 * enough, so that what is paused at the mark does not go on and off.
 */
export class Watermark {
  readonly bytes: number;
  #isBelow = false;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** @returns whether there is too little, `freeBytes` being left. */
  isBelow(freeBytes: number): boolean {
    this.#isBelow = freeBytes < (this.#isBelow ? 2 * this.bytes : this.bytes);
    return this.#isBelow;
  }
}
