import type { Plan } from "../discovery/plan.ts";
import { GUEST } from "./guest-environment.ts";

export interface CommandPlace {
  /** Root of the unpacked tree in the guest. */
  readonly treeRoot: string;
  /** site-packages of the environment. */
  readonly site: string;
  /** Only these test ids; empty for all. */
  readonly only: readonly string[];
  /** Names that the release installs at the top level: the reporters say where they were imported from. */
  readonly topLevel: readonly string[];
}

export interface TestCommand {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A plan's command as it is executed, with the recording plugin or result class in it. */
export function testCommand(plan: Plan, place: CommandPlace): TestCommand {
  const fill = (text: string) =>
    text
      .replaceAll("{python}", GUEST.venvPython)
      .replaceAll("{site}", place.site)
      .replaceAll("{tree}", place.treeRoot);
  const inTree = (path: string) =>
    path.startsWith("{site}") ? fill(path) : joinPath(place.treeRoot, path);
  const argv = plan.argv.map(fill);
  const cwd = inTree(plan.cwd);
  const env: Record<string, string> = Object.fromEntries(
    Object.entries(plan.env).map(([name, value]) => [name, fill(value)]),
  );
  if (place.only.length > 0) env["CREAMERY_ONLY_IDS"] = GUEST.onlyIds;
  env["CREAMERY_TOP_LEVEL"] = place.topLevel.slice(0, 20).join(",");
  const paths = [
    GUEST.reports,
    ...plan.pythonPath.map(inTree),
    ...(env["PYTHONPATH"] === undefined ? [] : [env["PYTHONPATH"]]),
  ];
  switch (plan.runner) {
    case "pytest": {
      const at = argv.findIndex(
        (word) => word === "pytest" || word === "py.test" || word.endsWith("/pytest"),
      );
      const end = at < 0 ? argv.length : at + 1;
      env["PYTHONPATH"] = paths.join(":");
      return {
        argv: [...argv.slice(0, end), "-p", "creamery_pytest", ...argv.slice(end)],
        cwd,
        env,
      };
    }
    case "unittest": {
      env["PYTHONPATH"] = paths.join(":");
      return {
        argv: argv.map((word, at) =>
          word === "unittest" && argv[at - 1] === "-m" ? "creamery_unittest" : word,
        ),
        cwd,
        env,
      };
    }
    case "custom": {
      env["PYTHONPATH"] = [GUEST.inject, ...paths].join(":");
      env["CREAMERY_RECORD"] = "1";
      return { argv, cwd, env };
    }
  }
}

function joinPath(root: string, path: string): string {
  return path === "" || path === "." ? root : `${root}/${path}`;
}
