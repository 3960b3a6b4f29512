/** What a build is doing: one at each step's start, and more while a long one runs. */
export interface BuildEvent {
  readonly step: BuildStep;
  /** One line for a person. */
  readonly detail: string;
  /** Done and expected of this step, where it counts: packages, interpreters, files. */
  readonly done?: number;
  readonly total?: number;
  /** Fetched and expected, where the step fetches. */
  readonly bytesDone?: number;
  readonly bytesTotal?: number;
  /** Since the build began. */
  readonly seconds: number;
}

export type BuildStep =
  | "wait"
  | "files"
  | "packages"
  | "tools"
  | "set-up"
  | "kernel"
  | "interpreters"
  | "byte-code"
  | "proof"
  | "normalise"
  | "hash"
  | "done";

export type OnBuildEvent = (event: BuildEvent) => void;

/** Reports one build's steps with the time since it began. */
export class BuildProgress {
  readonly #begun = performance.now();
  readonly #onEvent: OnBuildEvent;

  constructor(onEvent: OnBuildEvent) {
    this.#onEvent = onEvent;
  }

  get seconds(): number {
    return Math.round((performance.now() - this.#begun) / 100) / 10;
  }

  say(
    step: BuildStep,
    detail: string,
    counts: Omit<BuildEvent, "step" | "detail" | "seconds"> = {},
  ): void {
    this.#onEvent({ step, detail, ...counts, seconds: this.seconds });
  }
}
