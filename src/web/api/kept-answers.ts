import { Refused } from "./answers.ts";

interface Kept<Answer> {
  readonly fingerprint: string;
  readonly answer: Promise<Answer>;
  readonly untilMs: number;
}

const MOST = 2000;
const KEEP_MS = 24 * 3_600_000;

/** What requests with an `Idempotency-Key` were answered, so that one that is made again is answered the same, and does nothing. */
export class KeptAnswers<Answer> {
  readonly #now: () => number;
  readonly #kept = new Map<string, Kept<Answer>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * @param key with who made it: one person's is not another's. @param fingerprint of what was asked.
   * @throws Refused 422 where the key was used for something else; what `work` throws, which is not kept.
   */
  async once(key: string, fingerprint: string, work: () => Promise<Answer>): Promise<Answer> {
    const nowMs = this.#now();
    const before = this.#kept.get(key);
    if (before !== undefined && before.untilMs > nowMs) {
      if (before.fingerprint === fingerprint) return await before.answer;
      throw new Refused({
        status: 422,
        detail: "this Idempotency-Key was used for another request: make a new one",
      });
    }
    const answer = work();
    this.#kept.delete(key);
    this.#kept.set(key, { fingerprint, answer, untilMs: nowMs + KEEP_MS });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST && oldest !== undefined) this.#kept.delete(oldest);
    try {
      return await answer;
    } catch (thrown) {
      if (this.#kept.get(key)?.answer === answer) this.#kept.delete(key);
      throw thrown;
    }
  }
}
