export interface StoreFault {
  /** What is wrong: a table, an attempt, a job. */
  readonly subject: string;
  readonly fault: string;
}

/** So many of one kind are told. */
export const MOST_FAULTS = 100;
