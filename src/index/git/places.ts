import { within } from "../../base/within.ts";

/** So many at once; the others wait in the order in which they came. */
export class Places {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** @throws the signal's reason. */
  async take(signal: AbortSignal): Promise<Disposable> {
    if (this.#free > 0) {
      this.#free--;
    } else {
      const turn = Promise.withResolvers<void>();
      this.#waiting.push(turn.resolve);
      const leave = (): void => {
        const at = this.#waiting.indexOf(turn.resolve);
        // Its turn has come in the same moment: the next one's, then.
        if (at < 0) this.#give();
        else this.#waiting.splice(at, 1);
      };
      await within(turn.promise, { signal, onAbort: leave });
    }
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#give();
        held = false;
      },
    };
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
