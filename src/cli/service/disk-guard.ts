import { gib, roomFacts } from "../../worker/room.ts";
import { Watermark } from "../../worker/watermark.ts";

export interface DiskGuardOptions {
  /** The farm's own: what holds its store, and its bucket where that is a directory. */
  readonly directories: readonly string[];
  readonly watermarkBytes: number;
  /** Told when the disk is too full, and with null when it is not any more. */
  readonly onChange: (reason: string | null) => void;
  readonly freeBytes?: () => number;
}

/** Whether the farm can take something more in. Goes off and on by itself. */
export class DiskGuard {
  readonly #options: DiskGuardOptions;
  readonly #watermark: Watermark;
  #lacked = false;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
    this.#watermark = new Watermark(options.watermarkBytes);
  }

  /** Why it can't now; null where it can. */
  lack(): string | null {
    const { directories, freeBytes, onChange } = this.#options;
    const free = freeBytes?.() ?? roomFacts(directories).diskFreeBytes;
    const isBelow = this.#watermark.isBelow(free);
    const reason = isBelow
      ? `${gib(free)} of the farm's own disk are free, less than it needs to go on`
      : null;
    if (isBelow !== this.#lacked) onChange(reason);
    this.#lacked = isBelow;
    return reason;
  }
}
