import { execFile } from "node:child_process";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

import { z } from "zod";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { splitUrl, withoutCredentials } from "./secret.ts";

/**
 * Which index this host's pip uses: asked of pip itself, so that its configuration files, its
 * environment and its own default all count, and no address stands in this code.
 */

export const HostIndexes = z.object({
  indexUrl: z.string(),
  extraIndexUrls: z.array(z.string()),
  cert: z.string().nullable(),
  clientCert: z.string().nullable(),
  proxy: z.string().nullable(),
  trustedHosts: z.array(z.string()),
  /** Of the hosts above alone: `[host, user, password]`. */
  netrc: z.array(z.tuple([z.string(), z.string(), z.string()])),
});
export type HostIndexes = z.infer<typeof HostIndexes>;

// pip's own parser: options, files and environment in pip's own order. Without pip's modules, nothing is printed.
const ASK_PIP = `
import json, sys, urllib.parse
try:
    from pip._internal.commands import create_command
except ImportError:
    sys.exit(9)
options, _ = create_command("download").parse_args(["x"])
urls = [options.index_url, *options.extra_index_urls]
found = []
try:
    import netrc
    entries = netrc.netrc()
    for host in sorted({urllib.parse.urlsplit(url).hostname or "" for url in urls}):
        entry = entries.authenticators(host) if host in entries.hosts else None
        if entry:
            found.append([host, entry[0] or "", entry[2] or ""])
except Exception:
    pass
print(json.dumps({
    "indexUrl": options.index_url,
    "extraIndexUrls": list(options.extra_index_urls),
    "cert": options.cert or None,
    "clientCert": options.client_cert or None,
    "proxy": options.proxy or None,
    "trustedHosts": list(options.trusted_hosts),
    "netrc": found,
}))
`;

const NEXT = "install python3-pip, or name the index in creamery.toml as upstreams.index";

export interface DescribeOptions {
  readonly signal: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
  /** Where the answer is kept; asked anew when pip's configuration changes. Answers with credentials are never kept. */
  readonly cacheFile?: string;
}

/**
 * What pip would use on this host, for the user who runs this.
 * @throws CreameryError `host-lacks` when there is no pip that answers.
 */
export async function describeHostIndexes(options: DescribeOptions): Promise<HostIndexes> {
  const env = options.env ?? process.env;
  const key = options.cacheFile === undefined ? null : await configurationKey(env);
  if (options.cacheFile !== undefined && key !== null) {
    const kept = await readKept(options.cacheFile, key);
    if (kept !== null) return kept;
  }
  const found = await askPip(env, options.signal);
  if (options.cacheFile !== undefined && key !== null && !holdsCredentials(found))
    await keep(options.cacheFile, key, found);
  return found;
}

async function askPip(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<HostIndexes> {
  // Not -I: pip of a user's own site-packages is pip too. The directory is one where nobody leaves modules.
  const asked = await run("python3", ["-B", "-c", ASK_PIP], env, signal);
  if (asked.code === 0) {
    const parsed = HostIndexes.safeParse(jsonOf(asked.stdout));
    if (parsed.success) return parsed.data;
  }
  return askPipByWords(env, signal);
}

/** For a pip that is no module of python3: its configuration as it lists it, and the default that its help names. */
async function askPipByWords(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<HostIndexes> {
  const listed = await run("pip", ["config", "list"], env, signal);
  const help = await run("pip", ["help", "download"], env, signal);
  if (listed.code !== 0 || help.code !== 0)
    throw new CreameryError("host-lacks", "this host has no pip that says which index it uses", {
      nextStep: NEXT,
    });
  return parsePipWords(listed.stdout, help.stdout);
}

/** `pip config list` and `pip help download`, read. @throws CreameryError `host-lacks`. */
export function parsePipWords(listed: string, help: string): HostIndexes {
  const settings = new Map<string, string>();
  // Later ones win, in pip's order: files, then the command's own section, then the environment.
  const rank = (section: string): number =>
    ["global", "install", "download", ":env:"].indexOf(section);
  const rows = listed.split("\n").flatMap((line) => {
    const row = /^([\w:-]+)\.([\w-]+)='(.*)'$/u.exec(line.trim());
    return row?.[1] === undefined ||
      row[2] === undefined ||
      row[3] === undefined ||
      rank(row[1]) < 0
      ? []
      : [{ section: row[1], name: row[2], value: row[3] }];
  });
  for (const row of rows.toSorted((left, right) => rank(left.section) - rank(right.section)))
    settings.set(row.name, row.value);
  const byHelp = /--index-url[\s\S]*?\(default\s+([^\s)]+)\)/u.exec(help)?.[1];
  const indexUrl = settings.get("index-url") ?? byHelp;
  if (indexUrl === undefined)
    throw new CreameryError("host-lacks", "pip does not say which index it uses", {
      nextStep: NEXT,
    });
  const words = (name: string): string[] =>
    (settings.get(name) ?? "").split(/\\n|\s/u).filter((word) => word !== "");
  return {
    indexUrl,
    extraIndexUrls: words("extra-index-url"),
    cert: settings.get("cert") ?? null,
    clientCert: settings.get("client-cert") ?? null,
    proxy: settings.get("proxy") ?? null,
    trustedHosts: words("trusted-host"),
    netrc: [],
  };
}

function holdsCredentials(found: HostIndexes): boolean {
  if (found.netrc.length > 0) return true;
  return [
    found.indexUrl,
    ...found.extraIndexUrls,
    ...(found.proxy === null ? [] : [found.proxy]),
  ].some((url) => {
    try {
      return splitUrl(url.includes("://") ? url : `http://${url}`).authorization !== null;
    } catch {
      return true;
    }
  });
}

/**
 * Changes whenever an answer of pip could: what its files hold, the variables it reads, and what runs it. Not where the
 * files lie: a command's own copy of a person's configuration is in another place each time.
 */
async function configurationKey(env: NodeJS.ProcessEnv): Promise<string> {
  const home = env["HOME"] ?? homedir();
  const files: Readonly<Record<string, string>> = {
    system: "/etc/pip.conf",
    xdg: "/etc/xdg/pip/pip.conf",
    old: join(home, ".pip/pip.conf"),
    user: join(env["XDG_CONFIG_HOME"] ?? join(home, ".config"), "pip/pip.conf"),
    named: env["PIP_CONFIG_FILE"] ?? "",
    environment: env["VIRTUAL_ENV"] === undefined ? "" : join(env["VIRTUAL_ENV"], "pip.conf"),
    netrc: env["NETRC"] ?? join(home, ".netrc"),
  };
  const contents = await Promise.all(
    Object.entries(files).map(async ([role, path]) => {
      const content = path === "" ? null : await readFile(path, "utf8").catch(() => null);
      return JSON.stringify([role, content]);
    }),
  );
  const variables = Object.entries(env)
    .filter(([name]) => /^(?:PIP_|PATH$|VIRTUAL_ENV$|PYENV_)/u.test(name))
    .filter(([name]) => name !== "PIP_CONFIG_FILE")
    .map(([name, value]) => `${name}=${value ?? ""}`);
  return createHash("sha256")
    .update([...contents, ...variables.toSorted()].join("\n"))
    .digest("hex");
}

const Kept = z.object({ key: z.string(), found: HostIndexes });

async function readKept(path: string, key: string): Promise<HostIndexes | null> {
  const parsed = Kept.safeParse(jsonOf(await readFile(path, "utf8").catch(() => "")));
  return parsed.success && parsed.data.key === key ? parsed.data.found : null;
}

/** What can't be kept is asked again: no reason to fail. */
async function keep(path: string, key: string, found: HostIndexes): Promise<void> {
  const written = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(written, JSON.stringify({ key, found }), { mode: 0o600 });
    await rename(written, path);
  } catch {
    return;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

interface Ran {
  readonly code: number;
  readonly stdout: string;
  /** As it may be shown. */
  readonly stderr: string;
  /** The same as it was said: it may hold credentials. */
  readonly said: Secret;
}

export function run(
  file: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  cwd = "/",
): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(
      file,
      [...argv],
      { env, cwd, signal, timeout: 30_000, maxBuffer: 4 << 20 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
        resolve({
          code,
          stdout,
          stderr: error === null ? stderr : withoutCredentials(`${stderr}${reasonOf(error)}`),
          said: new Secret(stderr),
        });
      },
    );
  });
}
