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
  /** Requirements; what GUEST.keep pins (`name==version` of the release under test) may not be moved by them. */
  installRequirements(requirements: readonly string[]): readonly string[];
  /** Builds a wheel from an unpacked tree or an sdist into GUEST.wheels. */
  buildWheel(path: string): readonly string[];
}

export function installerFor(interpreter: Interpreter): Installer {
  return interpreter.uv ? uvInstaller(interpreter) : pipInstaller(interpreter);
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
      `${project}${withExtras(extras)}==${version}`,
    ],
    installWheels: (paths, extras) => [
      ...install,
      ...paths.map((path) => `${path}${withExtras(extras)}`),
    ],
    installRequirements: (requirements) => [
      ...install,
      "--constraint",
      GUEST.keep,
      ...requirements,
    ],
    buildWheel: (path) => [
      "uv",
      "build",
      "--wheel",
      // pip would know nothing of [tool.uv.sources]: what is built is what everybody gets.
      "--no-sources",
      "--python",
      GUEST.venvPython,
      "--out-dir",
      GUEST.wheels,
      path,
    ],
  };
}

function pipInstaller(interpreter: Interpreter): Installer {
  const pip = [GUEST.venvPython, "-m", "pip"];
  return {
    name: "pip",
    createEnvironment: () => [
      "/usr/local/bin/creamery-virtualenv",
      "--quiet",
      "--no-download",
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
    installRequirements: (requirements) => [
      ...pip,
      "install",
      "--constraint",
      GUEST.keep,
      ...requirements,
    ],
    buildWheel: (path) => [...pip, "wheel", "--no-deps", "--wheel-dir", GUEST.wheels, path],
  };
}
