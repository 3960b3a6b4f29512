interface Kept<Value> {
  readonly value: Value;
  readonly untilMs: number;
  readonly tookMs: number;
}

/** What is read in less is read for each who asks. */
const QUICK_MS = 5;
/** Whoever waits so long for something fresh does not notice it. */
const SHORT_MS = 20;
/** What takes long is read so seldom that it takes a twentieth of the time. */
const TIMES = 20;
const MOST = 200;

/**
 * Answers of queries that read much, by who may see what: those that take long are kept for a while, and who asks after that is
 * given the last one while the next is read. So a page is quick, however large the store.
 */
export class KeptReading<Value> {
  readonly #leastMs: number;
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept<Value>>();
  readonly #reading = new Map<string, Promise<Value>>();

  /** @param leastMs for so long it is kept in any case. @param now ms, of any clock that goes on. */
  constructor(leastMs = 0, now: () => number = () => performance.now()) {
    this.#leastMs = leastMs;
    this.#now = now;
  }

  /**
   * @param key one for each that is shown the same.
   * @param isKept is told where what is given was read before: in how many ms whoever asks again is given, or has read, something newer.
   * @throws what `read` throws, where there is nothing to be given instead.
   */
  async of(
    key: string,
    read: () => Promise<Value>,
    isKept?: (newerInMs: number) => void,
  ): Promise<Value> {
    const kept = this.#kept.get(key);
    const leftMs = kept === undefined ? 0 : kept.untilMs - this.#now();
    if (kept !== undefined && leftMs > 0) {
      isKept?.(leftMs);
      return kept.value;
    }
    const reading = this.#reading.get(key) ?? this.#begin(key, read);
    if (kept === undefined || kept.tookMs <= SHORT_MS) return await reading;
    // It fails again where it is waited for.
    reading.catch(() => undefined);
    isKept?.(kept.tookMs);
    return kept.value;
  }

  #begin(key: string, read: () => Promise<Value>): Promise<Value> {
    const reading = this.#read(key, read).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }

  async #read(key: string, read: () => Promise<Value>): Promise<Value> {
    const beganMs = this.#now();
    try {
      const value = await read();
      const tookMs = this.#now() - beganMs;
      const keepMs = Math.max(this.#leastMs, tookMs <= QUICK_MS ? 0 : TIMES * tookMs);
      this.#kept.delete(key);
      this.#kept.set(key, { value, tookMs, untilMs: this.#now() + keepMs });
      const [oldest] = this.#kept.keys();
      if (this.#kept.size > MOST && oldest !== undefined) this.#kept.delete(oldest);
      return value;
    } catch (thrown) {
      this.#kept.delete(key);
      throw thrown;
    }
  }
}
