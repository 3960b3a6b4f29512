/** Laps that are the package's own; all else of an attempt is the farm's. */
const NOT_THE_FARMS = ["venv", "install", "build", "dependencies", "test", "retest"];

/** Wall seconds by name, on a clock that never runs backwards. Overlapping laps each count in full. */
export class Stopwatch {
  readonly #began = performance.now();
  readonly #seconds = new Map<string, number>();

  async lap<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.add(name, (performance.now() - began) / 1000);
    }
  }

  add(name: string, seconds: number): void {
    this.#seconds.set(name, (this.#seconds.get(name) ?? 0) + seconds);
  }

  /** Seconds by lap, with `farm` (all but the package's own) and `total`; rounded to milliseconds. */
  summary(): Record<string, number> {
    const total = (performance.now() - this.#began) / 1000;
    const own = NOT_THE_FARMS.reduce((sum, name) => sum + (this.#seconds.get(name) ?? 0), 0);
    const rounded = (seconds: number) => Math.round(seconds * 1000) / 1000;
    return {
      ...Object.fromEntries([...this.#seconds].map(([name, value]) => [name, rounded(value)])),
      farm: rounded(Math.max(0, total - own)),
      total: rounded(total),
    };
  }
}
