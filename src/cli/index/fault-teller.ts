const QUIET_MS = 60_000;
const MAX_LINES = 1000;

/** Tells a fault once a minute, however often it comes: installers ask again, and many at once. */
export class FaultTeller {
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  readonly #told = new Map<string, number>();

  constructor(say: (line: string) => void, now: () => number = Date.now) {
    this.#say = say;
    this.#now = now;
  }

  tell(line: string): void {
    const now = this.#now();
    const before = this.#told.get(line);
    if (before !== undefined && now - before < QUIET_MS) return;
    if (this.#told.size >= MAX_LINES) this.#told.clear();
    this.#told.set(line, now);
    this.#say(line);
  }
}
