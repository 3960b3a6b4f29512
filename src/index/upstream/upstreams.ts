import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { z } from "zod";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { Secret } from "../../base/secret.ts";
import { cargoStamp, readCargoConfiguration } from "./cargo-configuration.ts";
import { describeHostIndexes, run, type HostIndexes } from "./host-indexes.ts";
import { basic, splitUrl } from "./secret.ts";

/** `[upstreams]` of creamery.toml: wins over what the host's own tools are configured for. */
export const UpstreamSettings = z.strictObject({
  index: z.string().optional(),
  /** Asked before `index`, in order: the first index that has a name serves it, whole. */
  extra: z.array(z.string()).optional(),
  /** The sparse index of crates. */
  crates: z.string().optional(),
  /** A PEM file of authorities to trust. */
  cert: z.string().optional(),
  client_cert: z.string().optional(),
  proxy: z.string().optional(),
});
export type UpstreamSettings = z.infer<typeof UpstreamSettings>;

/** An index: its simple API, or a sparse index of crates. */
export interface Upstream {
  /** Ends with a slash, holds no credentials. */
  readonly url: string;
  readonly authorization: Secret | null;
  /** pip's trusted-host: no certificate is checked. */
  readonly insecure: boolean;
  /** Of a farm, which stands for indexes of its own and tells of each file where it is from; undefined for an index. */
  readonly farm?: FarmOfIndexes;
}

/** What is kept of an upstream lies below a directory of this name. */
export function directoryNameOf({ url }: Pick<Upstream, "url">): string {
  return createHash("sha256").update(url).digest("hex").slice(0, 16);
}

export interface FarmOfIndexes {
  /** Of the farm's indexes, in the order in which it asks them, without credentials. */
  readonly addresses: readonly string[];
}

/** How upstreams are reached. */
export interface Transport {
  /** PEM text; undefined for the system's and Node's own. */
  readonly ca: string | undefined;
  /** PEM text of certificate and key. */
  readonly clientCert: string | undefined;
  /** May hold credentials. */
  readonly proxy: Secret | null;
  /** No proxy, whatever this process's environment says. */
  readonly direct?: boolean;
}

export interface Upstreams {
  /** In the order in which they are asked. */
  readonly indexes: readonly Upstream[];
  readonly crates: Upstream | null;
  readonly transport: Transport;
}

export interface FindUpstreamsOptions {
  readonly settings?: UpstreamSettings;
  readonly signal: AbortSignal;
  /** The farm's own cache: the answers of pip and cargo are kept there. */
  readonly cacheDir?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** As another process, running as the user who asked, found it. */
  readonly hostIndexes?: HostIndexes;
  /** As `cratesIndexFromCargo` said of the image's cargo; the host's own cargo is asked when this is undefined. */
  readonly cratesIndex?: string | null;
}

/**
 * The upstreams of this host: creamery.toml's, else what pip and cargo are configured for.
 * Extra indexes are asked before the main one, as uv does: a private name can't be taken by a public one.
 * @throws CreameryError `host-lacks` or `configuration-file`.
 */
export async function findUpstreams(options: FindUpstreamsOptions): Promise<Upstreams> {
  const settings = options.settings ?? {};
  const env = options.env ?? process.env;
  const host =
    options.hostIndexes ??
    (settings.index === undefined || settings.cert === undefined
      ? await describeHostIndexes({
          signal: options.signal,
          env,
          ...(options.cacheDir === undefined
            ? {}
            : { cacheFile: join(options.cacheDir, "host-indexes.json") }),
        }).catch((thrown: unknown) => {
          if (settings.index === undefined) throw thrown;
          return null;
        })
      : null);
  const main = settings.index ?? host?.indexUrl;
  if (main === undefined)
    throw new CreameryError("host-lacks", "no index is known", {
      nextStep: "name one in creamery.toml as upstreams.index",
    });
  // A configured index comes alone: the host's extra ones belong to the host's own.
  const extra =
    settings.extra ?? (settings.index === undefined ? (host?.extraIndexUrls ?? []) : []);
  const toUpstream = (url: string): Upstream => asUpstream(url, host);
  const cratesIndex =
    settings.crates ??
    (options.cratesIndex === undefined ? await hostCratesIndex(env, options) : options.cratesIndex);
  const cert = settings.cert ?? host?.cert ?? env["SSL_CERT_FILE"] ?? null;
  const clientCert = settings.client_cert ?? host?.clientCert ?? null;
  const proxy = settings.proxy ?? host?.proxy ?? null;
  return {
    indexes: [...extra, main].map(toUpstream),
    crates: cratesIndex === null ? null : toUpstream(cratesIndex.replace(/^sparse\+/u, "")),
    transport: {
      ca: await pem(cert, cert === settings.cert),
      clientCert: await pem(clientCert, true),
      proxy: proxy === null ? null : splitProxy(proxy),
    },
  };
}

function asUpstream(text: string, host: HostIndexes | null): Upstream {
  let split;
  try {
    split = splitUrl(text);
  } catch (cause) {
    // Not `text` itself: it may hold a password.
    throw new CreameryError("configuration-file", "an upstream index is no URL", {
      nextStep: "check upstreams in creamery.toml and index-url in pip's configuration",
      cause,
    });
  }
  const url = new URL(split.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new CreameryError(
      "configuration-file",
      `an upstream index can't be reached by ${url.protocol}`,
      { input: url.host, nextStep: "use https" },
    );
  }
  url.search = "";
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  const login =
    split.authorization === null ? host?.netrc.find(([name]) => name === url.hostname) : undefined;
  return {
    url: url.href,
    authorization: login === undefined ? split.authorization : basic(login[1], login[2]),
    insecure: (host?.trustedHosts ?? []).some((name) => name === url.hostname || name === url.host),
  };
}

/**
 * Authorities beside this host's own, for what is no index: those that creamery.toml names, else git's or the system's own
 * variable, where the farm's user can read them.
 * @throws CreameryError `configuration-file`.
 */
export async function readAuthorities(
  { cert }: UpstreamSettings,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (cert !== undefined) return await pem(cert, true);
  return await pem(env["GIT_SSL_CAINFO"] ?? env["SSL_CERT_FILE"] ?? null, false);
}

async function pem(path: string | null, mustBe: boolean): Promise<string | undefined> {
  if (path === null || path === "") return undefined;
  return readFile(path, "utf8").catch((cause: unknown) => {
    if (!mustBe) return undefined;
    throw new CreameryError(
      "configuration-file",
      `certificates can't be read: ${reasonOf(cause)}`,
      {
        input: path,
        nextStep: "let the farm's user read it, or name another as upstreams.cert in creamery.toml",
        cause,
      },
    );
  });
}

function splitProxy(text: string): Secret {
  return new Secret(text.includes("://") ? text : `http://${text}`);
}

/**
 * The sparse index that cargo names when it can't reach it; null when it names none.
 * @param output of `cargo generate-lockfile` in a package with one dependency, with no network.
 */
export function cratesIndexFromCargo(output: string): string | null {
  return /failed to download from `(https?:\/\/[^`\s]+\/)config\.json`/u.exec(output)?.[1] ?? null;
}

/** What makes cargo name its index: files of a package, and the command and variables to run in it. Works in a guest too. */
export const ASK_CARGO = {
  files: {
    "Cargo.toml":
      '[package]\nname = "ask"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\nany = "1"\n',
    "src/lib.rs": "",
  },
  argv: ["cargo", "generate-lockfile"],
  // Nothing listens at port 1: cargo says what it would have asked for, at once.
  env: { CARGO_HTTP_PROXY: "http://127.0.0.1:1", CARGO_NET_RETRY: "0", CARGO_TERM_COLOR: "never" },
} as const;

/**
 * The index of crates as the host's cargo says it; null without cargo: the image's own can be asked instead. It is kept until
 * cargo's configuration changes; an answer that holds credentials is not.
 */
export async function hostCratesIndex(
  env: NodeJS.ProcessEnv,
  options: Pick<FindUpstreamsOptions, "cacheDir" | "signal">,
): Promise<string | null> {
  const kept = options.cacheDir === undefined ? null : join(options.cacheDir, "crates-index");
  const stamp = cargoStamp(await readCargoConfiguration(env));
  if (kept !== null) {
    const [keptStamp, url] = (await readFile(kept, "utf8").catch(() => "")).split("\n");
    if (keptStamp === stamp && url !== undefined && url !== "") return url;
  }
  // cargo reads the configuration of every directory above, and anybody may write in the host's for temporary files.
  const parent = options.cacheDir ?? tmpdir();
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, ".ask-cargo-"));
  try {
    await mkdir(join(directory, "src"));
    for (const [name, text] of Object.entries(ASK_CARGO.files))
      await writeFile(join(directory, name), text);
    const [command, ...argv] = ASK_CARGO.argv;
    const asked = await run(command, argv, { ...env, ...ASK_CARGO.env }, options.signal, directory);
    const found = cratesIndexFromCargo(asked.said.reveal());
    if (found !== null && kept !== null && splitUrl(found).authorization === null)
      await writeFile(kept, `${stamp}\n${found}\n`).catch(() => undefined);
    return found;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
