import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { addressPolicy } from "../../base/guarded-address.ts";
import { printableLine } from "../../base/bounded-text.ts";
import { CreameryError, type ErrorCode } from "../../base/errors.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { lineOf } from "../../model/config/read-table.ts";
import {
  parseConfigurationsFile,
  parseFarmConfig,
  parseOverrideFile,
  type FarmConfig,
  type OperatorOverride,
} from "../../model/config/farm-config.ts";
import { assertDirectories } from "./assert-directories.ts";

const REPOSITORY = fileURLToPath(new URL("../../../", import.meta.url));
const MAX_CONFIG_BYTES = 1024 * 1024;
/** What the launcher says of a path that is no file to read. */
const NOT_READ: ReadonlySet<ErrorCode> = new Set([
  "no-such-path",
  "unreadable-path",
  "bad-archive",
  "too-large",
]);

export interface ReadConfig {
  readonly config: FarmConfig;
  /** What the operator says of a project: the file's own table, else NAME.toml of the overrides' directory. */
  readonly overrideOf: (project: string) => Promise<OperatorOverride | undefined>;
}

/**
 * creamery.toml of the clone, or the file that `--config` names, read with the rights of the person who asked.
 * @param cwd of that person, where a relative path begins.
 * @param env what the command runs with: the file's directories must be those.
 * @throws CreameryError `configuration-file`, `usage`.
 */
export async function readConfig(
  given: string | undefined,
  cwd: string,
  launcher: Pick<LauncherClient, "request">,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ReadConfig> {
  const priority = parseConfigurationsFile(
    await readFile(join(REPOSITORY, "configurations.toml"), "utf8"),
    "configurations.toml",
  );
  if (given === "")
    throw new CreameryError("usage", "names no file", {
      input: "--config",
      nextStep: "name a file, or leave it out",
    });
  const path = given === undefined ? null : resolve(cwd, given);
  const text =
    path === null
      ? await readOwn("creamery.toml")
      : await readAsAsker(path, given ?? path, launcher);
  const shown = given ?? "creamery.toml";
  const config = parseFarmConfig(text ?? "", shown, priority);
  assertDirectories(config, text ?? "", shown, env);
  assertReachable(config, text ?? "", shown);
  const { overridesDirectory } = config;
  const base = path === null ? REPOSITORY : dirname(path);
  if (overridesDirectory !== null)
    await assertOverrides(resolve(base, overridesDirectory), text ?? "", shown, launcher);
  return {
    config,
    overrideOf: async (project) => {
      const own = config.projects.get(project);
      if (own !== undefined || overridesDirectory === null) return own;
      const name = `${project}.toml`;
      const at = join(resolve(base, overridesDirectory), name);
      const override = await readAsAsker(at, at, launcher).catch((thrown: unknown) => {
        // Most projects have none.
        const { cause } = thrown instanceof CreameryError ? thrown : {};
        if (cause instanceof CreameryError && cause.code === "no-such-path") return null;
        throw thrown;
      });
      return override === null ? undefined : parseOverrideFile(override, name, project);
    },
  };
}

/** What is wrong with `[upstreams]` and `[addresses]`; an upstream itself is not shown: it may hold a password. */
function assertReachable(
  { upstreams, allowedAddresses }: FarmConfig,
  text: string,
  file: string,
): void {
  const { index, extra = [], crates, proxy } = upstreams;
  const wrong = (table: string, key: string, reason: string, nextStep: string): CreameryError =>
    new CreameryError(
      "configuration-file",
      `line ${lineOf(text, [table, key])}: ${table}.${key}: ${reason}`,
      { input: file, nextStep },
    );
  const named = [
    ["index", index] as const,
    ...extra.map((one) => ["extra", one] as const),
    ["crates", crates?.replace(/^sparse\+/u, "")] as const,
  ];
  for (const [key, address] of named) {
    if (address === undefined || /^https?:$/u.test(URL.parse(address)?.protocol ?? "")) continue;
    const nextStep = "write it as in https://index.example/simple/";
    throw wrong("upstreams", key, "is no address of an index", nextStep);
  }
  if (proxy !== undefined && !isProxy(proxy))
    throw wrong(
      "upstreams",
      "proxy",
      "is no address of a proxy",
      "write it as in http://proxy.example:3128",
    );
  for (const entry of allowedAddresses) {
    try {
      addressPolicy([entry]);
    } catch (thrown) {
      const { message, nextStep = "write 10.0.0.0/8, say" } =
        thrown instanceof CreameryError ? thrown : {};
      throw wrong("addresses", "allow", printableLine(`${entry}: ${message}`), nextStep);
    }
  }
}

/** `http://user:password@host:port`, or `host:port`. */
function isProxy(text: string): boolean {
  const url = URL.parse(text.includes("://") ? text : `http://${text}`);
  return (
    url !== null && /^https?:$/u.test(url.protocol) && (text.includes("://") || url.port !== "")
  );
}

/** A directory that is not there would hold no override, and nobody would be told. */
async function assertOverrides(
  directory: string,
  text: string,
  file: string,
  launcher: Pick<LauncherClient, "request">,
): Promise<void> {
  const what = await launcher
    .request({ kind: "probe-user-path", path: directory })
    .catch((thrown: unknown) => {
      if (thrown instanceof CreameryError && NOT_READ.has(thrown.code)) return thrown;
      throw thrown;
    });
  const isDirectory = "what" in what && what.what === "directory";
  if (isDirectory) return;
  const reason = "what" in what ? "is no directory" : what.message;
  const line = lineOf(text, ["overrides", "directory"]);
  throw new CreameryError(
    "configuration-file",
    printableLine(`line ${line}: overrides.directory: ${directory}: ${reason}`),
    { input: file, nextStep: "make it, or leave the key out" },
  );
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

async function readAsAsker(
  path: string,
  shown: string,
  launcher: Pick<LauncherClient, "request">,
): Promise<string> {
  try {
    const asked = { kind: "read-user-text", path, maxBytes: MAX_CONFIG_BYTES } as const;
    return (await launcher.request(asked)).text;
  } catch (cause) {
    if (cause instanceof CreameryError && NOT_READ.has(cause.code))
      throw new CreameryError("configuration-file", cause.message, {
        input: shown,
        nextStep: "see docs/configuration.md",
        cause,
      });
    throw cause;
  }
}
