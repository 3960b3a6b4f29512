/** What is tested: a release, a repository at a commit, or a local tree or archive. */
export type SourceKind = "release" | "repository" | "tree" | "sdist" | "wheel";

export interface Source {
  readonly kind: SourceKind;
  /** Normalised project name (PEP 503). */
  readonly project: string;
  readonly version: string;
  /** Of the distribution or packed tree that the tests came from, hexadecimal. */
  readonly sha256: string;
}

/** Who built an interpreter: Debian, whoever makes the interpreter itself, or somebody else. Two builds of one version differ. */
export const BUILDERS = ["debian", "upstream", "other"] as const;
export type Builder = (typeof BUILDERS)[number];

/** An interpreter of an image: `cpython-3.13`, `pypy-3.11`. */
export interface Interpreter {
  readonly name: string;
  readonly implementation: "cpython" | "pypy";
  /** `3.13` */
  readonly version: string;
  /** In the guest, e.g. `/usr/bin/python3.13`. */
  readonly executable: string;
  /** As reported by the interpreter itself when the image was built, e.g. `3.13.5`. */
  readonly fullVersion: string;
  /** uv can make environments for it; else virtualenv and pip serve it. */
  readonly uv: boolean;
  readonly builder: Builder;
  /** Modules of its version's standard library that this build of it does not have; null where an older image does not say. */
  readonly lacks: readonly string[] | null;
}
