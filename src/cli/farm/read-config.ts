import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { CreameryError } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import {
  parseConfigurationsFile,
  parseFarmConfig,
  parseOverrideFile,
  type FarmConfig,
  type OperatorOverride,
} from "../../model/config/farm-config.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const MAX_CONFIG_BYTES = 1024 * 1024;
let reads = 0;

export interface ReadConfig {
  readonly config: FarmConfig;
  /** What the operator says of a project: the file's own table, else NAME.toml of the overrides' directory. */
  readonly overrideOf: (project: string) => Promise<OperatorOverride | undefined>;
}

/**
 * creamery.toml of the clone, or the file that `--config` names, read with the rights of the person who asked.
 * @param cwd of that person, where a relative path begins.
 * @throws CreameryError `configuration-file`.
 */
export async function readConfig(
  given: string | undefined,
  cwd: string,
  launcher: LauncherClient,
): Promise<ReadConfig> {
  const priority = parseConfigurationsFile(
    await readFile(join(REPOSITORY, "configurations.toml"), "utf8"),
    "configurations.toml",
  );
  const path = given === undefined ? null : resolve(cwd, given);
  const text =
    path === null
      ? await readOwn("creamery.toml")
      : await readAsAsker(path, given ?? path, launcher);
  const config = parseFarmConfig(text ?? "", given ?? "creamery.toml", priority);
  const { overridesDirectory } = config;
  const base = path === null ? REPOSITORY : dirname(path);
  return {
    config,
    overrideOf: async (project) => {
      const own = config.projects.get(project);
      if (own !== undefined || overridesDirectory === null) return own;
      const name = `${project}.toml`;
      const at = join(
        isAbsolute(overridesDirectory) ? overridesDirectory : join(base, overridesDirectory),
        name,
      );
      const override = await readAsAsker(at, at, launcher).catch((thrown: unknown) => {
        // Most projects have none.
        if (thrown instanceof CreameryError && thrown.code === "configuration-file") return null;
        throw thrown;
      });
      return override === null ? undefined : parseOverrideFile(override, name);
    },
  };
}

/** A file of the clone; null when it is not there. */
async function readOwn(name: string): Promise<string | null> {
  try {
    return await readFile(join(REPOSITORY, name), "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return null;
    throw new CreameryError("configuration-file", "can't be read by the farm's own user", {
      input: name,
      nextStep: "name it with --config, or let uid 64123 read it",
      cause,
    });
  }
}

async function readAsAsker(path: string, shown: string, launcher: LauncherClient): Promise<string> {
  try {
    const { file } = await launcher.request({
      kind: "read-user-file",
      path,
      result: `config-${++reads}`,
      maxBytes: MAX_CONFIG_BYTES,
    });
    return await readFile(file, "utf8");
  } catch (cause) {
    if (cause instanceof CreameryError && cause.code === "bad-archive")
      throw new CreameryError("configuration-file", "is no file, or can't be read", {
        input: shown,
        nextStep: "see docs/configuration.md",
        cause,
      });
    throw cause;
  }
}
