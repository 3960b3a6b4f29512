/**
 * Discovery is a pure function from a tree's file list and the texts of a few small configuration
 * files to plans, in the order in which they are to be tried (docs/discovery.md).
 */

/** A source tree as the guest's scanner saw it. Paths are relative, `/`-separated, sorted. */
export interface TreeListing {
  readonly files: readonly TreeFile[];
  /** Texts of known configuration files, by path, each at most 256 KiB. */
  readonly texts: Readonly<Record<string, string>>;
  readonly truncated: boolean;
}

export interface TreeFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** `def test` seen in a Python file, 0 elsewhere. */
  readonly testFunctions: number;
  /** Top-level names a Python test file imports; only for files that look like tests. */
  readonly imports?: readonly string[];
  /** Uses unittest.TestCase or doctest's suites (seen by name in the text). */
  readonly usesUnittest?: boolean;
  /** Uses pytest (seen by name). */
  readonly usesPytest?: boolean;
}

/** What was installed for the release, from its RECORD and METADATA, as the guest's scanner saw it. */
export interface InstalledListing {
  /** Absolute path in the guest of the directory that holds the package. */
  readonly sitePackages: string;
  /** RECORD paths, relative to sitePackages, of Python, data and extension files. */
  readonly files: readonly TreeFile[];
  /** Importable top-level names, e.g. `["lmdb"]`, `["_cffi_backend", "cffi"]`. */
  readonly topLevel: readonly string[];
  /** Core metadata, as text. */
  readonly metadata: string;
  readonly entryPoints: string;
}

export interface DiscoveryContext {
  /** Normalised project name and version under test. */
  readonly project: string;
  readonly version: string;
  /** Environment markers of the interpreter under test (PEP 508). */
  readonly markers: Readonly<Record<string, string>>;
  /** `cpython-3.13` */
  readonly interpreter: string;
  /** From an operator's override; wins over everything. */
  readonly override?: PlanOverride;
}

/** `[tool.creamery]` of a project, or an operator's override for it. */
export interface PlanOverride {
  readonly command?: readonly string[];
  readonly requirements?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface DependencyStep {
  /** Where it was declared: `dependency-groups:test`, `extra:test`, `tox:deps`, `requirements/tests.txt`, `runner`, `imports`. */
  readonly from: string;
  /** PEP 508 strings, the release itself left out. */
  readonly requirements: readonly string[];
  /** A step that fails is noted and passed over when true. */
  readonly optional: boolean;
}

export interface Plan {
  /** `B1+C3`: the dependency rung and the command rung that won. */
  readonly rung: string;
  readonly runner: "pytest" | "unittest" | "custom";
  /**
   * argv with `{python}` for the environment's interpreter, `{site}` for its site-packages (in `env` also `{tree}` for
   * the tree's root). For pytest and unittest the
   * worker adds its recording plugin or class; for `custom` it injects a recording result class.
   */
  readonly argv: readonly string[];
  /** Relative to the tree's root; `{site}` where tests live in the installed package. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Requirements that must be in place, in order. */
  readonly dependencies: readonly DependencyStep[];
  /**
   * Tree paths of the release's own importable packages or modules, to be replaced by the installed copies. They are the
   * same in site-packages, but for a first part `src/`, `lib/` or `python/` where no such path is installed. Some may
   * not be in the tree (compiled modules): they are copied there too.
   */
  readonly replaceByInstalled: readonly string[];
  /** Directories (relative to the tree) that tests want on sys.path. */
  readonly pythonPath: readonly string[];
  /** Test functions seen where this plan looks: a run that collects much less tries the next plan. */
  readonly expectedAtLeast: number;
  readonly rejected: readonly RejectedRung[];
}

export interface RejectedRung {
  readonly rung: string;
  readonly why: string;
}

export type Discovery =
  | { readonly kind: "plans"; readonly plans: readonly Plan[] }
  | {
      readonly kind: "smoke-only";
      readonly cause: "no-tests" | "tests-not-in-sdist" | "smoke-only";
      readonly rejected: readonly RejectedRung[];
    };
