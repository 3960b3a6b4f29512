import { clip, printableLine } from "../base/bounded-text.ts";
import type { CauseGroup, CauseKind } from "./attempt.ts";
import { causeGroup, parseCause } from "./result-words.ts";

/** A cause for people who never read the closed list. */
export interface CauseWords {
  /** A plain sentence, without its full stop; bounded and printable. */
  readonly text: string;
  /** Who must act, as words that go after "for" or stand alone: `the package`. */
  readonly who: string;
}

const WHO: Readonly<Record<CauseGroup, string>> = {
  package: "the package",
  dependency: "a dependency",
  interpreter: "the package, or the interpreter",
  toolchain: "the package's build, or its toolchain",
  environment: "who sets up the environment",
  limit: "the package, or the farm's limits",
  farm: "the farm",
};

/** Of each kind, whether it names something or not. */
const WORDS: Readonly<Record<CauseKind, string | ((detail: string) => string)>> = {
  "test-failure": "tests fail",
  "test-error": "tests end in errors that are no failed assertions",
  "collection-error": "modules of tests can't be loaded",
  syntax: "this interpreter can't read the source",
  "import-error": "an import of its own fails",
  "missing-dependency-declaration": named(
    "it imports something that it declares nowhere",
    (detail) => `it imports ${detail} and declares it nowhere`,
  ),
  "no-tests": "it has no tests",
  "tests-not-in-sdist": "its tests are not in what was published",
  "smoke-only": "it was only installed and imported: no tests were looked for",
  "requires-python": "it does not claim to support this Python version",
  "dependency-build": named(
    "a dependency does not build",
    (detail) => `the dependency ${detail} does not build`,
  ),
  "dependency-import": named(
    "a dependency can't be imported",
    (detail) => `the dependency ${detail} can't be imported`,
  ),
  unresolvable: "no set of versions satisfies all its dependencies",
  "no-distribution": named(
    "there is no file of it that fits here",
    (detail) => `there is no file of ${detail} that fits here`,
  ),
  yanked: "only files that were yanked would do",
  segfault: "the interpreter crashed by a segmentation fault",
  abort: "the interpreter was ended by a signal",
  assertion: "an assertion of C code failed",
  "removed-api": named(
    "it uses something that Python no longer has",
    (detail) => `it uses ${detail}, which Python no longer has`,
  ),
  deadlock: "all threads wait for each other",
  "build-backend": named("its build fails", (detail) => `its build with ${detail} fails`),
  compiler: "its source does not compile",
  "missing-system-library": named(
    "it needs a system library that is not there",
    (detail) => `it needs ${detail}, which is not on the system`,
  ),
  "needs-network": "its tests need the network",
  "needs-service": "its tests need a service that is not there",
  "needs-gpu": "its tests need a GPU",
  "needs-display": "its tests need a display",
  "machine-difference": "it fails on one kind of machine only, which is the farm's to explain",
  timeout: "it ran longer than it may",
  silent: "it said nothing for longer than it may",
  oom: "it needed more memory than there is",
  disk: "it filled its disk",
  "log-size": "it wrote a longer log than it may",
  pids: "it started more processes than it may",
  "vm-resume": "the farm could not start its machine",
  "agent-lost": "the farm lost its machine",
  "index-mirror": "the farm could not reach the index",
  "image-bad": "the farm's image is broken",
  host: "the farm's host failed",
};

const MAX_DETAIL_CHARS = 80;

/** Of a cause as results have it, `dependency-build(cffi)` or `timeout`. What is none of the closed list is shown as it is. */
export function causeWords(text: string): CauseWords {
  const cause = parseCause(text);
  if (cause === null) return { text: clip(printableLine(text), MAX_DETAIL_CHARS), who: WHO.farm };
  const words = WORDS[cause.kind];
  const detail = clip(printableLine(cause.detail ?? ""), MAX_DETAIL_CHARS);
  return {
    text: typeof words === "string" ? words : words(detail),
    who: cause.kind === "machine-difference" ? WHO.farm : WHO[causeGroup(cause.kind)],
  };
}

function named(plain: string, withDetail: (detail: string) => string): (detail: string) => string {
  return (detail) => (detail === "" ? plain : withDetail(detail));
}
