import { printableLine } from "../base/bounded-text.ts";

export interface AptCounts {
  readonly detail: string;
  readonly done: number;
  readonly total: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

const UNITS: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

/** Reads the lines of apt-get(8) and dpkg(1) in a build, and keeps count of packages and bytes. */
export class AptTally {
  #fetched = 0;
  #expected = 0;
  #installed = 0;
  #packages = 0;

  /** The counts after a line that changed them, or null. */
  hear(line: string): AptCounts | null {
    const got = /^Get:\d+ \S+ (\S+) .*\[([\d.,]+) (B|kB|MB|GB)\]$/u.exec(line);
    if (got !== null) {
      const [, suite = "", amount = "", unit = ""] = got;
      // Indices come before the total is known, and are not in it.
      if (this.#expected > 0) this.#fetched += bytes(amount, unit);
      return this.#counts(`fetching from ${suite}`);
    }
    const need = /^Need to get (?:[\d.,]+ \w?B\/)?([\d.,]+) (B|kB|MB|GB) of archives/u.exec(line);
    if (need !== null) {
      this.#expected += bytes(need[1] ?? "", need[2] ?? "");
      return this.#counts("fetching packages");
    }
    const plan = /, (\d+) newly installed,/u.exec(line);
    if (plan !== null) {
      this.#packages += Number(plan[1]);
      return null;
    }
    const set = /^Setting up (\S+) /u.exec(line);
    if (set !== null) {
      this.#installed++;
      return this.#counts(`installing ${set[1] ?? ""}`);
    }
    return null;
  }

  #counts(detail: string): AptCounts {
    const total = Math.max(this.#packages, this.#installed);
    const bytesTotal = Math.max(this.#expected, this.#fetched);
    return {
      detail: printableLine(detail),
      done: this.#installed,
      total,
      bytesDone: this.#fetched,
      bytesTotal,
    };
  }
}

function bytes(amount: string, unit: string): number {
  return Math.round(Number(amount.replaceAll(",", "")) * (UNITS[unit] ?? 1));
}
