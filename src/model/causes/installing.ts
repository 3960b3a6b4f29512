import { normaliseName } from "../../python/names.ts";
import type { Cause } from "../attempt.ts";
import type { StepEvidence } from "../evidence.ts";
import { importCause, removedApi, type ExceptionContext } from "./exception.ts";
import { anyGroup, causeOf, firstCause, type TextRule } from "./find.ts";

/** What uv and pip say when they cannot put a set of distributions together, more special first. */
const RESOLUTION_RULES: readonly TextRule[] = [
  {
    kind: "yanked",
    pattern: /Because ([\w.-]+)==\S+ was yanked|([\w.-]+)==\S+ is yanked/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern:
      /([\w.-]+)(?:==[^\s,]+)? (?:has no (?:wheels|usable wheels|source distribution|publicly available)|has no wheels with a matching)/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern: /([\w.-]+) was not found in the (?:package registry|cache|provided package locations)/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern:
      /Could not find a version that satisfies the requirement ([A-Za-z0-9][\w.-]*)[^\n]*\(from versions: (?:none)?\)/,
    detail: anyGroup,
  },
  {
    kind: "unresolvable",
    pattern: /Could not find a version that satisfies the requirement ([A-Za-z0-9][\w.-]*)/,
    detail: anyGroup,
  },
  {
    kind: "unresolvable",
    pattern: /requires a different Python: |ResolutionImpossible|conflicting dependencies/,
  },
  {
    kind: "unresolvable",
    pattern: /No solution found when resolving|requirements are unsatisfiable/,
  },
  {
    kind: "no-distribution",
    pattern: /No matching distribution found for ([A-Za-z0-9][\w.-]*)/,
    detail: anyGroup,
  },
];

/** What compilers, linkers and configuration tools say of a library that is not there. */
const LIBRARY_RULES: readonly TextRule[] = [
  {
    kind: "missing-system-library",
    pattern:
      /fatal error: ['"]?([^\s'":]+\.(?:h|hh|hpp|hxx|H|inc))['"]?(?:: No such file or directory| file not found)/,
    detail: anyGroup,
  },
  { kind: "missing-system-library", pattern: /cannot find -l([\w.+-]+)/, detail: anyGroup },
  {
    kind: "missing-system-library",
    pattern: /unable to find library -l([\w.+-]+)|library ['"‘]?-?l?([\w.+-]+)['"’]? not found/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern:
      /Package ['"]?([\w.+-]+)['"]?,? (?:required by|was not found in the pkg-config)|No package ['"]([\w.+-]+)['"] found/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern:
      /Dependency ['"]([\w.+-]+)['"] not found|Dependency lookup for ([\w.+-]+) with method|Run-time dependency ([\w.+-]+) found: NO[^]*?ERROR/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern: /Could (?:NOT|not) find ([A-Z][\w+-]+) \(missing:/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern:
      /\b((?:pg|mysql|mariadb|xml2|xslt|curl|krb5|gdal|geos|nc|freetype|sdl2?|pcap|net-snmp)[-_]config)\b[^\n]*not found/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern: /could not find (?:system library|native static library) ['"`]([\w.+-]+)['"`]/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern: /(lib[\w.+-]+\.so[\w.]*): cannot open shared object file/,
    detail: anyGroup,
  },
];

/** What says that source was not to be compiled. */
const COMPILER_RULES: readonly TextRule[] = [
  { kind: "compiler", pattern: /internal compiler error/ },
  {
    kind: "compiler",
    pattern:
      /[Cc]ommand ['"]?\[?['"]?(?:\/\S*\/)?(?:[\w.-]*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|gfortran|rustc|cargo|ld)[\w.-]*['"]?[^\n]* (?:failed|returned non-zero)/,
  },
  {
    kind: "compiler",
    pattern:
      /unable to execute ['"]?\S*(?:gcc|g\+\+|cc|clang)|No such file or directory: ['"](?:gcc|g\+\+|cc|clang|gfortran)['"]/,
  },
  {
    kind: "compiler",
    pattern:
      /error: could not compile [`'"]|error: can't find Rust compiler|cargo(?:, the Rust package manager,)? is not installed|error\[E\d{4}\]/,
  },
  {
    kind: "compiler",
    pattern:
      /ninja: build stopped: subcommand failed|collect2: error: ld returned|make(?:\[\d+\])?: \*\*\* \[[^\n]*Error \d/,
  },
  {
    kind: "compiler",
    pattern:
      /CompileError|Unknown compiler\(s\)|No CMAKE_C(?:XX)?_COMPILER could be found|CMake Error at/,
  },
  {
    kind: "compiler",
    pattern: /^[^\n]*\.(?:c|cc|cpp|cxx|pyx|f90|rs):\d+:\d+: (?:fatal )?error: /m,
  },
];

const FAILED_BUILD: readonly RegExp[] = [
  // uv; the path form is `uv build` of an unpacked tree: the project itself.
  /Failed to (?:download and )?build [`']([A-Za-z0-9][\w.-]*)(?:==|@| @ |[`'])/g,
  /Failed building wheel for ([A-Za-z0-9][\w.-]*)/g,
  /Could not build wheels for ([A-Za-z0-9][\w.-]*)/g,
];

export interface InstallContext extends ExceptionContext {
  readonly project: string;
  readonly buildBackend: string | null;
}

/**
 * Why installing or building failed, from what uv, pip and the tools under them said. The text is the
 * package's as much as theirs, so this names causes and never makes a pass.
 */
export function installCause(step: StepEvidence, context: InstallContext): Cause {
  const { text } = step;
  const failed = failedProject(text);
  if (failed !== null && normaliseName(failed) !== normaliseName(context.project)) {
    return causeOf("dependency-build", normaliseName(failed));
  }
  const built =
    failed !== null || step.phase === "build" || text.includes("build backend returned an error");
  if (!built || /build-system\.requires|install build dependencies did not run/.test(text)) {
    const resolution = firstCause(RESOLUTION_RULES, text);
    if (resolution !== null) return resolution;
  }
  return buildCause(text, context);
}

function buildCause(text: string, context: InstallContext): Cause {
  const library = firstCause(LIBRARY_RULES, text);
  if (library !== null) return library;
  const compiler = firstCause(COMPILER_RULES, text);
  if (compiler !== null) return compiler;
  const backend = backendOf(text, context.buildBackend);
  // A backend that is not there is the backend's failure, not an undeclared import of setup.py's.
  const missing = /No module named ['"]?([\w.]+)/.exec(text)?.[1];
  if (missing !== undefined && backend.split(/[.:]/)[0] === missing.split(".")[0])
    return causeOf("build-backend", backend);
  const removed = removedApi(text, context.pythonVersion);
  if (removed !== null) return removed;
  const imported = importCause(text, { ...context, topLevel: [] });
  if (imported?.kind === "syntax" || imported?.kind === "missing-dependency-declaration")
    return imported;
  return causeOf("build-backend", backend);
}

/** Whose build failed: as uv or pip name it; with pip's metadata step, what was collected last. */
function failedProject(text: string): string | null {
  for (const pattern of FAILED_BUILD) {
    const match = [...text.matchAll(pattern)].at(-1);
    if (match?.[1] !== undefined) return match[1];
  }
  if (
    /metadata-generation-failed|subprocess-exited-with-error|Command errored out with exit status/.test(
      text,
    )
  ) {
    const collected = [
      ...text.matchAll(/^\s*(?:Collecting|Processing) ([A-Za-z0-9][\w.-]*?)(?=[=<>!~;[\s(]|$)/gm),
    ].at(-1)?.[1];
    if (collected !== undefined && !collected.includes("/"))
      return collected.replace(/-\d[\w.]*\.(?:tar|zip|whl).*$/, "");
  }
  return null;
}

function backendOf(text: string, declared: string | null): string {
  const called =
    /Call to [`']([\w.:]+?)\.(?:build_wheel|build_sdist|build_editable|get_requires_for_\w+|prepare_metadata_\w+)[`']/.exec(
      text,
    )?.[1];
  const backend = called ?? declared ?? "setuptools.build_meta";
  return backend.replace(/:__legacy__$/, "");
}
