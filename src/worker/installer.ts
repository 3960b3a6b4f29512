import type { Interpreter } from "../model/source.ts";
import { GUEST } from "./guest-environment.ts";

/** The commands that make an environment and put things into it: uv where it serves the interpreter, else virtualenv and pip. */
export interface Installer {
  readonly name: "uv" | "pip";
  createEnvironment(): readonly string[];
  /** A release by name and version; `wheelOnly` forbids building it, dependencies are free. */
  installRelease(
    project: string,
    version: string,
    extras: readonly string[],
    wheelOnly: boolean,
  ): readonly string[];
  /** Wheels by path, their dependencies from the index. */
  installWheels(paths: readonly string[], extras: readonly string[]): readonly string[];
  /** Requirements; what `keep` pins (`name==version` of the release under test) may not be moved by them. */
  installRequirements(requirements: readonly string[], keep: readonly string[]): readonly string[];
  /** Builds a wheel from an unpacked tree or an sdist into GUEST.wheels. */
  buildWheel(path: string): readonly string[];
  /** Do the installed distributions agree with each other? */
  check(): readonly string[];
  freeze(): readonly string[];
}

/** @param wheelDir where the image keeps the wheels of pip, setuptools and virtualenv for interpreters that uv does not serve. */
export function installerFor(interpreter: Interpreter, wheelDir: string): Installer {
  return interpreter.uv ? uvInstaller(interpreter) : pipInstaller(interpreter, wheelDir);
}

function withExtras(extras: readonly string[]): string {
  return extras.length === 0 ? "" : `[${extras.join(",")}]`;
}

function uvInstaller(interpreter: Interpreter): Installer {
  const install = ["uv", "pip", "install", "--python", GUEST.venvPython];
  return {
    name: "uv",
    createEnvironment: () => [
      "uv",
      "venv",
      "--quiet",
      "--python",
      interpreter.executable,
      GUEST.venv,
    ],
    installRelease: (project, version, extras, wheelOnly) => [
      ...install,
      ...(wheelOnly ? ["--only-binary", project] : []),
      "--prerelease",
      "if-necessary-or-explicit",
      `${project}${withExtras(extras)}==${version}`,
    ],
    installWheels: (paths, extras) => [
      ...install,
      ...paths.map((path) => `${path}${withExtras(extras)}`),
    ],
    installRequirements: (requirements, keep) => [...install, ...requirements, ...keep],
    buildWheel: (path) => [
      "uv",
      "build",
      "--wheel",
      "--python",
      GUEST.venvPython,
      "--out-dir",
      GUEST.wheels,
      path,
    ],
    check: () => ["uv", "pip", "check", "--python", GUEST.venvPython],
    freeze: () => ["uv", "pip", "freeze", "--python", GUEST.venvPython],
  };
}

function pipInstaller(interpreter: Interpreter, wheelDir: string): Installer {
  const pip = [GUEST.venvPython, "-m", "pip"];
  return {
    name: "pip",
    createEnvironment: () => [
      "/usr/local/bin/creamery-virtualenv",
      "--quiet",
      "--no-download",
      "--extra-search-dir",
      wheelDir,
      "--python",
      interpreter.executable,
      GUEST.venv,
    ],
    installRelease: (project, version, extras, wheelOnly) => [
      ...pip,
      "install",
      ...(wheelOnly ? ["--only-binary", project] : []),
      `${project}${withExtras(extras)}==${version}`,
    ],
    installWheels: (paths, extras) => [
      ...pip,
      "install",
      ...paths.map((path) => `${path}${withExtras(extras)}`),
    ],
    installRequirements: (requirements, keep) => [...pip, "install", ...requirements, ...keep],
    buildWheel: (path) => [...pip, "wheel", "--no-deps", "--wheel-dir", GUEST.wheels, path],
    check: () => [...pip, "check"],
    freeze: () => [...pip, "freeze"],
  };
}
