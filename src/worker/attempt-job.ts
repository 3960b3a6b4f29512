import type { Plan, PlanOverride } from "../discovery/plan.ts";
import type { AttemptRecord } from "../index/index-service.ts";
import type { SourceOrigin } from "../index/lock/source-origin.ts";
import type { Limits } from "../model/config/limits.ts";
import type { Interpreter, SourceKind } from "../model/source.ts";

/** A file that waits on the host to be given to a guest; its bytes were hash-checked when it was fetched. */
export interface HostFile {
  readonly path: string;
  readonly filename: string;
  readonly sha256: string;
}

/** What a target became: known well enough to run attempts of it. */
export interface ResolvedSource {
  readonly kind: SourceKind;
  /** Normalised; for a tree or repository a guess from its directory until its metadata has been built. */
  readonly project: string;
  /** Empty while unknown: a tree says its version when it is built. */
  readonly version: string;
  readonly extras: readonly string[];
  /** The sdist, or the packed tree; null for a release that has wheels alone. */
  readonly sourceFile: HostFile | null;
  /** A wheel file that a person gave. */
  readonly wheelFile: HostFile | null;
  /** Wheel filenames of the release on the index, to say whether one fits. */
  readonly wheelNames: readonly string[];
  /** Of the release's files, as the index or the archive's metadata says; null when it is not said. */
  readonly requiresPython: string | null;
  readonly yanked: string | null;
  /** Of the sdist, the archive or the tree's content, else of the release's first wheel; hexadecimal. */
  readonly sha256: string;
  /** Where the sdist or the tree can be had by others too; absent where it can't. */
  readonly origin?: SourceOrigin;
  /** What of the tree could not be had, a line each. */
  readonly notes?: readonly string[];
  /** What a person recognises: `attrs 25.3.0`, `./my-project`, `repo@v1.2`. */
  readonly label: string;
}

/** The tree of a repository whose tests are a release's. */
export interface TestTree {
  /** `A2`, `A3`; with `+A4` where the project lies in a directory of its repository. */
  readonly rung: string;
  /** An archive of the whole repository. */
  readonly file: HostFile;
  /** Of the project in it, `""` for the root. */
  readonly directory: string;
  readonly url: string;
  readonly commit: string;
}

/** A run whose plan is settled: a confirmation of failures elsewhere, or a reproduction. */
export interface SettledPlan {
  readonly plan: Plan;
  /** Only these test ids; empty for all. */
  readonly only: readonly string[];
  /** The wheel that the first run built, so that it is not built again. */
  readonly wheel: { readonly filename: string; readonly content: Buffer } | null;
  /** Whether the smoke run is made as well. */
  readonly smoke: boolean;
  /** Where the tests are, if not in the source. */
  readonly tree?: TestTree;
}

/** What an experiment gives this attempt otherwise (model/overlay.ts), as it lies ready on this host. */
export interface JobOverlay {
  readonly releases: readonly {
    /** Normalised. */
    readonly project: string;
    readonly version: string;
    /** A wheel that a person gave, which the index keeps by its hash; null for the release as upstream has it. */
    readonly wheel: HostFile | null;
  }[];
  /** RFC 3339. */
  readonly before: string | null;
  readonly env: Readonly<Record<string, string>>;
  /** Normalised names of the projects whose use is to be told. */
  readonly watch: readonly string[];
}

export interface AttemptJob {
  readonly attemptId: string;
  readonly configuration: string;
  readonly interpreter: Interpreter;
  readonly imageId: string;
  readonly source: ResolvedSource;
  /** What results are filed under, whatever the source calls itself; by default that. */
  readonly project?: string;
  /** `sdist` builds even where a published wheel fits. */
  readonly buildFrom: "auto" | "sdist";
  readonly limits: Limits;
  readonly override?: PlanOverride;
  readonly settled?: SettledPlan;
  /** Installed and imported, no more: nothing is looked for that could be run as a test. */
  readonly smokeOnly?: boolean;
  /** The index serves exactly what it served then. */
  readonly replay?: AttemptRecord;
  readonly overlay?: JobOverlay;
  /** What tells it from its twin in an experiment, for people. */
  readonly side?: string;
}
