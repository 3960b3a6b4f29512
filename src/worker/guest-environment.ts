import type { Interpreter } from "../model/source.ts";

/** Where things lie in a guest. The job's user owns everything under /job. */
export const GUEST = {
  home: "/home/tester",
  upload: "/job/upload",
  tree: "/job/src",
  venv: "/job/venv",
  wheels: "/job/wheels",
  /** Pins of the release under test, root's own. */
  keep: "/run/creamery-keep.txt",
  /** Scripts that put what was installed in the place of the tree's own, root's own; a number follows. */
  unshadow: "/run/creamery-unshadow",
  /** Ids of the tests that alone are to be run, root's own. */
  onlyIds: "/run/creamery-only-ids.txt",
  reports: "/opt/creamery/guest/report",
  inject: "/opt/creamery/guest/inject",
  tools: "/opt/creamery/guest",
  systemPython: "/usr/bin/python3.13",
  venvPython: "/job/venv/bin/python",
} as const;

/** Of uv. */
export const INSTALLER_CACHE = "/job/.uv-cache";

/** What every process of the job sees; never anything of the host's environment. */
export function jobEnvironment(interpreter: Interpreter, indexUrl: string): Record<string, string> {
  const common = {
    HOME: GUEST.home,
    USER: "tester",
    LOGNAME: "tester",
    SHELL: "/bin/bash",
    PATH: `${GUEST.venv}/bin:/usr/local/bin:/usr/bin:/bin`,
    VIRTUAL_ENV: GUEST.venv,
    LANG: "C.UTF-8",
    TERM: "dumb",
    TMPDIR: "/tmp",
    PYTHONUNBUFFERED: "1",
    PYTHONFAULTHANDLER: "1",
    CARGO_HOME: `${GUEST.home}/.cargo`,
  };
  if (interpreter.uv) {
    return {
      ...common,
      UV_DEFAULT_INDEX: indexUrl,
      UV_CACHE_DIR: INSTALLER_CACHE,
      UV_PYTHON_DOWNLOADS: "never",
      UV_NO_CONFIG: "1",
      UV_NO_PROGRESS: "1",
      UV_HTTP_TIMEOUT: "120",
      // The mirror has tried again already.
      UV_HTTP_RETRIES: "1",
      UV_PYTHON: GUEST.venvPython,
      // Some build backends and test suites call pip themselves.
      PIP_INDEX_URL: indexUrl,
      PIP_DISABLE_PIP_VERSION_CHECK: "1",
    };
  }
  return {
    ...common,
    PIP_INDEX_URL: indexUrl,
    PIP_TRUSTED_HOST: "127.0.0.1",
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PIP_PROGRESS_BAR: "off",
    PIP_NO_PYTHON_VERSION_WARNING: "1",
  };
}
