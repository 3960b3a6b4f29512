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

  get totalSeconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  /** Rounded to milliseconds. */
  get laps(): Record<string, number> {
    return Object.fromEntries(
      [...this.#seconds].map(([name, seconds]) => [name, Math.round(seconds * 1000) / 1000]),
    );
  }
}
