import { createHash } from "node:crypto";

const MODULUS = 1n << 256n;

/**
 * What rows come to, in whatever order they come: the sum of their SHA-256s modulo 2^256. Two databases sort texts each in
 * its own way, and hold the same rows all the same.
 */
export class RowSum {
  #sum = 0n;
  #rows = 0;

  /** @param line of `encodeRow`. */
  add(line: string): void {
    this.#sum =
      (this.#sum + BigInt(`0x${createHash("sha256").update(line).digest("hex")}`)) % MODULUS;
    this.#rows++;
  }

  get rows(): number {
    return this.#rows;
  }

  /** 64 hexadecimal digits. */
  get sum(): string {
    return this.#sum.toString(16).padStart(64, "0");
  }

  equals(other: RowSum): boolean {
    return this.#rows === other.#rows && this.#sum === other.#sum;
  }
}
