import type { Interpreter } from "../model/source.ts";

/** Where things lie in a guest. The job's user owns everything under /job. */
export const GUEST = {
  home: "/home/tester",
  upload: "/job/upload",
  tree: "/job/src",
  /** The tree of a repository that has a release's tests, where its sdist has none. */
  repository: "/job/repository",
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

/** Where this attempt's index is, as its guest reaches it. */
export interface GuestIndex {
  /** Of the simple API. */
  readonly indexUrl: string;
  /** What is put before a repository's address in the place of `https://`. */
  readonly gitUrl: string;
}

/** What every process of the job sees; never anything of the host's environment. */
export function jobEnvironment(
  interpreter: Interpreter,
  { indexUrl, gitUrl }: GuestIndex,
): Record<string, string> {
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
    ...gitEnvironment(gitUrl),
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

/** How repositories are written that are to come through the mirror; the short form of ssh has the host behind its `@`. */
const MIRRORED = ["https://", "git://", "ssh://git@", "git+ssh://git@", "git@"];
/** The longest match counts: what a suite serves itself is left to it. */
const OWN = [
  "https://localhost",
  "https://127.0.0.1",
  "https://[::1]",
  "git://localhost",
  "git://127.0.0.1",
];

/** git takes settings from its environment since 2.31: in a file of the home they would be a suite's to lose. */
function gitEnvironment(gitUrl: string): Record<string, string> {
  const settings = [
    ...MIRRORED.map((form) => [`url.${gitUrl}.insteadOf`, form] as const),
    ...OWN.map((form) => [`url.${form}.insteadOf`, form] as const),
  ];
  return {
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], at) => [
        [`GIT_CONFIG_KEY_${at}`, key],
        [`GIT_CONFIG_VALUE_${at}`, value],
      ]),
    ),
  };
}
