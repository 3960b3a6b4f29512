import { normaliseName } from "../../python/names.ts";
import type { Cause } from "../attempt.ts";
import type { StepEvidence } from "../evidence.ts";
import { MISSING_SHARED_LIBRARY } from "./environment.ts";
import { importCause, removedApi, type ExceptionContext } from "./exception.ts";
import { anyGroup, causeOf, firstCause, type TextRule } from "./find.ts";

/** What uv and pip say when they cannot put a set of distributions together, more special first. */
export const RESOLUTION_RULES: readonly TextRule[] = [
  {
    kind: "yanked",
    pattern: /(?<![\w.-])([\w.-]{1,100})==[^\s,=]{1,100} (?:was|is) yanked/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern:
      /(?<![\w.-])([\w.-]{1,100})(?:==[^\s,=]{1,100})? has no (?:wheels|usable wheels|source distribution|publicly available)/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern:
      /(?<![\w.-])([\w.-]{1,100}) was not found in the (?:package registry|cache|provided package locations)/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern:
      /Could not find a version that satisfies the requirement ([A-Za-z0-9][\w.-]{0,100})(?![\w.-])[^\n]{0,500}\(from versions: (?:none)?\)/,
    detail: anyGroup,
  },
  {
    kind: "unresolvable",
    pattern: /Could not find a version that satisfies the requirement ([A-Za-z0-9][\w.-]{0,100})/,
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
    pattern:
      /(?<![\w.-])([\w.]{1,100})-[^\s/]{1,200}\.whl is not a supported wheel on this platform/,
    detail: anyGroup,
  },
  {
    kind: "no-distribution",
    pattern: /No matching distribution found for ([A-Za-z0-9][\w.-]{0,100})/,
    detail: anyGroup,
  },
];

/** What compilers, linkers and configuration tools say of a library that is not there. */
export const LIBRARY_RULES: readonly TextRule[] = [
  {
    kind: "missing-system-library",
    pattern:
      /fatal error: ['"]?([^\s'":]{1,300}\.(?:h|hh|hpp|hxx|H|inc))['"]?(?:: No such file or directory| file not found)/,
    detail: anyGroup,
  },
  { kind: "missing-system-library", pattern: /cannot find -l([\w.+-]{1,100})/, detail: anyGroup },
  {
    kind: "missing-system-library",
    pattern:
      /unable to find library -l([\w.+-]{1,100})|library ['"‘]?-?l?([\w.+-]{1,100})['"’]? not found/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern:
      /Package ['"]?([\w.+-]{1,100})['"]?,? (?:required by|was not found in the pkg-config)|No package ['"]([\w.+-]{1,100})['"] found/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern:
      /Dependency ['"]([\w.+-]{1,100})['"] not found|Dependency lookup for ([\w.+-]{1,100}) with method|Run-time dependency ([\w.+-]{1,100}) found: NO[^]{0,600}?ERROR/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern: /Could (?:NOT|not) find ([A-Z][\w+-]{1,100}) \(missing:/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern:
      /\b((?:pg|mysql|mariadb|xml2|xslt|curl|krb5|gdal|geos|nc|freetype|sdl2?|pcap|net-snmp)[-_]config)\b[^\n]{0,100}not found/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern: /could not find (?:system library|native static library) ['"`]([\w.+-]{1,100})['"`]/,
    detail: anyGroup,
  },
  {
    kind: "missing-system-library",
    pattern: MISSING_SHARED_LIBRARY,
    detail: anyGroup,
  },
];

/** What says that source was not to be compiled. */
export const COMPILER_RULES: readonly TextRule[] = [
  { kind: "compiler", pattern: /internal compiler error/ },
  {
    kind: "compiler",
    pattern:
      /[Cc]ommand ['"[]{0,3}(?=[^\s'"]{0,300}?(?<![A-Za-z0-9])(?:gcc|g\+\+|cc|c\+\+|clang|gfortran|rustc|cargo|ld)[\w.+-]{0,40}(?:[\s'"]|$))[^\n]{0,2000}? (?:failed|returned non-zero)/m,
  },
  {
    kind: "compiler",
    pattern:
      /unable to execute ['"]?\S{0,300}(?:gcc|g\+\+|cc|clang)|No such file or directory: ['"](?:gcc|g\+\+|cc|clang|gfortran)['"]/,
  },
  {
    kind: "compiler",
    pattern:
      /error: could not compile [`'"]|error: can't find Rust compiler|cargo(?:, the Rust package manager,)? is not installed|error\[E\d{4}\]/,
  },
  {
    kind: "compiler",
    pattern:
      /ninja: build stopped: subcommand failed|collect2: error: ld returned|make(?:\[\d{1,3}\])?: \*\*\* \[[^\n]{0,1000}Error \d/,
  },
  {
    kind: "compiler",
    pattern:
      /CompileError|Unknown compiler\(s\)|No CMAKE_C(?:XX)?_COMPILER could be found|CMake Error at/,
  },
  {
    kind: "compiler",
    pattern: /^[^\n]{0,1000}\.(?:c|cc|cpp|cxx|pyx|f90|rs):\d{1,7}:\d{1,7}: (?:fatal )?error: /m,
  },
];

const FAILED_BUILD: readonly RegExp[] = [
  // uv; the path form is `uv build` of an unpacked tree: the project itself.
  /Failed to (?:download and )?build [`']([A-Za-z0-9][\w.-]{0,100})(?:==|@| @ |[`'])/g,
  /Failed building wheel for ([A-Za-z0-9][\w.-]{0,100})/g,
  /Could not build wheels for ([A-Za-z0-9][\w.-]{0,100})/g,
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
  // No backend was asked: nothing can be read of which it would be.
  if (/Invalid `?pyproject\.toml`?|Failed to parse:? `?[^\s`]{0,300}pyproject\.toml/.test(text))
    return causeOf("build-backend", "pyproject.toml");
  const backend = backendOf(text, context.buildBackend);
  // A backend that is not there is the backend's failure, not an undeclared import of setup.py's.
  const missing = /No module named ['"]?([\w.]{1,200})/.exec(text)?.[1];
  if (missing !== undefined && backend.split(/[.:]/)[0] === missing.split(".")[0])
    return causeOf("build-backend", backend);
  const removed = removedApi(text, context.pythonVersion);
  if (removed !== null) return removed;
  const imported = importCause(text, { ...context, topLevel: [] });
  if (
    imported?.kind === "syntax" ||
    imported?.kind === "missing-dependency-declaration" ||
    imported?.kind === "missing-system-library"
  )
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
      ...text.matchAll(
        /^[ \t]{0,20}(?:Collecting|Processing) ([A-Za-z0-9][\w.-]{0,200}?)(?=[=<>!~;[\s(]|$)/gm,
      ),
    ].at(-1)?.[1];
    if (collected !== undefined && !collected.includes("/"))
      return collected.replace(/-\d[\w.]*\.(?:tar|zip|whl).*$/, "");
  }
  return null;
}

function backendOf(text: string, declared: string | null): string {
  const called =
    /Call to [`']([\w.:]{1,200}?)\.(?:build_wheel|build_sdist|build_editable|get_requires_for_\w{1,40}|prepare_metadata_\w{1,40})[`']/.exec(
      text,
    )?.[1];
  const backend = called ?? declared ?? "setuptools.build_meta";
  return backend.replace(/:__legacy__$/, "");
}
