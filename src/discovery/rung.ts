import type { TestCommand } from "./test-command.ts";

/** What a rung of the command ladder found: candidates in its own order, or why there are none. */
export interface CommandRung {
  /** `C1` to `C8` */
  readonly rung: string;
  /** Where it was read: `tox.ini [testenv]`. */
  readonly from: string;
  readonly candidates: readonly Candidate[];
  /** Why there are none, or what was passed over. */
  readonly why: string;
}

export interface Candidate {
  readonly command: TestCommand;
  /** Requirements that this source itself declares for its command, if it does. */
  readonly declared?: DeclaredRequirements;
}

/** Requirements of one source, as written; markers not yet applied. */
export interface DeclaredRequirements {
  /** `dependency-groups:test`, `extra:test`, `tox:deps`. */
  readonly from: string;
  /** The part of the plan's rung that says so: `B1`. */
  readonly rung: string;
  readonly requirements: readonly string[];
  /** Holds more than tests need (`dev`, `all`): only what tests import and plugins is taken of it. */
  readonly mixed: boolean;
}
