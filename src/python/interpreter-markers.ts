import type { MarkerEnvironment } from "./markers.ts";

/**
 * Marker values (PEP 508) of an interpreter in a Linux x86_64 guest.
 * @param fullVersion as the interpreter reports it, e.g. `3.13.5` or `3.15.0b2`; of PyPy the language's version.
 */
export function markersOf(interpreter: {
  readonly implementation: "cpython" | "pypy";
  readonly version: string;
  readonly fullVersion: string;
}): MarkerEnvironment {
  return {
    python_version: interpreter.version,
    python_full_version: interpreter.fullVersion,
    os_name: "posix",
    // Python 2 says linux2.
    sys_platform: interpreter.version.startsWith("2.") ? "linux2" : "linux",
    platform_release: "",
    platform_system: "Linux",
    platform_version: "",
    platform_machine: "x86_64",
    platform_python_implementation: interpreter.implementation === "pypy" ? "PyPy" : "CPython",
    implementation_name: interpreter.implementation,
    implementation_version: interpreter.fullVersion,
  };
}
