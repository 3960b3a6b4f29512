/** What the worker needs of the index: an endpoint for one attempt, closed after it. */
export interface AttemptIndex {
  open(attempt: {
    readonly attemptId: string;
    readonly socketPath: string;
  }): Promise<AttemptEndpoint>;
}

export interface AttemptEndpoint extends AsyncDisposable {
  /** Path of the simple API, with the attempt's token: `/TOKEN/simple/`. */
  readonly indexPath: string;
  /** cargo's configuration that replaces its registry, given where the guest reaches the endpoint; null without crates. */
  cargoConfig(origin: string): string | null;
  /** What was asked for and served: the attempt's raw lock. */
  record(): unknown;
  /** Failures of the index itself while it served this attempt. */
  faults(): readonly string[];
}
