import { spawn } from "node:child_process";
import { lookup } from "node:dns/promises";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { authoritiesWith } from "../base/authorities.ts";
import { CreameryError } from "../base/errors.ts";
import { addressPolicy, addressRefused, assertHostAllowed } from "../base/guarded-address.ts";
import { guardedFetch } from "../base/guarded-fetch.ts";
import { clip, printableLine } from "../base/bounded-text.ts";
import type { GitReference } from "./git-reference.ts";
import { withoutCredentials } from "./secret.ts";

export interface GitSource extends GitReference {
  readonly commit: string;
  /** A tar.gz of the commit's tree, nothing left out (export-ignore is not obeyed), below one directory. */
  readonly path: string;
  readonly sizeBytes: number;
}

export interface FetchGitOptions {
  /** An empty directory of the caller's, for the archive; the repository itself is gone when this returns. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** `addresses.allow` of creamery.toml. */
  readonly allow?: readonly string[];
  /** PEM text of authorities to trust besides this host's. */
  readonly ca?: string;
}

/**
 * Fetches one commit into a bare repository and archives its tree; nothing is checked out or run on this
 * host. git connects to addresses that were checked, and follows no redirect: those were followed, each
 * hop checked, by the question before.
 * @throws CreameryError `address-refused`, `upstream`, `no-network`, `deadline`, `usage`, `interrupted`, `host-lacks`.
 */
export async function fetchGitSource(
  reference: GitReference,
  options: FetchGitOptions,
): Promise<GitSource> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const url = await settledUrl(reference.url, options);
  const pinned = await pin(new URL(url), options.allow ?? []);
  const repository = join(options.directory, "repository.git");
  const run = (argv: readonly string[]): Promise<string> =>
    git(argv, { ...options, signal, deadline, repository, url });
  try {
    await mkdir(repository);
    if (options.ca !== undefined)
      await writeFile(join(repository, AUTHORITIES), authoritiesWith(options.ca).join("\n"));
    await run(["init", "--quiet", "--bare", repository]);
    // Tests are often marked export-ignore, and versions export-subst: the tree is wanted as it is.
    await writeFile(join(repository, "info", "attributes"), "* -export-ignore -export-subst\n");
    const inside = [
      "--git-dir",
      repository,
      "-c",
      "http.followRedirects=false",
      "-c",
      `http.curloptResolve=${pinned}`,
      "-c",
      "credential.helper=",
      "-c",
      "gc.auto=0",
    ];
    await run([
      ...inside,
      "fetch",
      "--quiet",
      "--depth=1",
      "--no-tags",
      "--no-recurse-submodules",
      "--",
      url,
      reference.ref ?? "HEAD",
    ]);
    const commit = (
      await run(["--git-dir", repository, "rev-parse", "--verify", "FETCH_HEAD^{commit}"])
    ).trim();
    const name =
      (new URL(url).pathname.split("/").at(-1) ?? "")
        .replace(/\.git$/u, "")
        .replaceAll(/[^\w.-]/gu, "-") || "repository";
    const path = join(options.directory, `${name}-${commit.slice(0, 12)}.tar.gz`);
    await run([
      "--git-dir",
      repository,
      "archive",
      "--format=tar.gz",
      `--prefix=${name}-${commit.slice(0, 12)}/`,
      `--output=${path}`,
      commit,
    ]);
    const { size } = await stat(path);
    return { url: reference.url, ref: reference.ref, commit, path, sizeBytes: size };
  } finally {
    await rm(repository, { recursive: true, force: true });
  }
}

export interface ListGitOptions extends Omit<FetchGitOptions, "maxBytes"> {
  /** More tags and branches than this are a fault. */
  readonly maxReferences: number;
}

export interface GitReferences {
  /** Whole hashes by full name (`refs/tags/v1.0`); of an annotated tag that of its commit. */
  readonly references: ReadonlyMap<string, string>;
  /** `refs/heads/main`; null where the repository names none. */
  readonly defaultBranch: string | null;
}

/** No name of a reference that is longer is read. */
const MAX_REFERENCE_CHARS = 250;

/**
 * Tags and branches of a repository, and which branch is its default; nothing is fetched. Guarded as `fetchGitSource` is.
 * @param url https, without credentials.
 * @throws as `fetchGitSource`; `upstream` too for one that has more references than `maxReferences`.
 */
export async function listGitReferences(
  url: string,
  options: ListGitOptions,
): Promise<GitReferences> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const signal = AbortSignal.any([options.signal, deadline]);
  const maxChars = options.maxReferences * 2 * (MAX_REFERENCE_CHARS + 66);
  const bounded: FetchGitOptions = { ...options, maxBytes: 64 << 20 };
  const settled = await settledUrl(url, bounded);
  const pinned = await pin(new URL(settled), options.allow ?? []);
  if (options.ca !== undefined)
    await writeFile(join(options.directory, AUTHORITIES), authoritiesWith(options.ca).join("\n"));
  const run = (argv: readonly string[]): Promise<string> =>
    git(["-c", "http.followRedirects=false", "-c", `http.curloptResolve=${pinned}`, ...argv], {
      ...bounded,
      signal,
      deadline,
      repository: options.directory,
      url: settled,
      maxChars,
    });
  const symbolic = await run(["ls-remote", "--symref", "--", settled, "HEAD"]);
  const listed = await run(["ls-remote", "--tags", "--heads", "--", settled]);
  const references = new Map<string, string>();
  for (const line of listed.split("\n")) {
    const [, commit = "", name = "", peeled] =
      /^([0-9a-f]{40}|[0-9a-f]{64})\t(refs\/(?:tags|heads)\/[^\s^]+)(\^\{\})?$/u.exec(line) ?? [];
    if (name === "" || name.length > MAX_REFERENCE_CHARS) continue;
    if (peeled !== undefined || !references.has(name)) references.set(name, commit);
  }
  // What is clipped would lack references, and they would seem to be new one day.
  if (references.size > options.maxReferences || listed.length >= maxChars)
    throw new CreameryError(
      "upstream",
      `has more than ${options.maxReferences} tags and branches`,
      { input: url },
    );
  const defaultBranch = /^ref: (refs\/heads\/[^\s^]{1,240})\tHEAD$/mu.exec(symbolic)?.[1] ?? null;
  return { references, defaultBranch };
}

const AUTHORITIES = "authorities.pem";

/** Where the repository is after redirects, by git's own first question. */
async function settledUrl(url: string, options: FetchGitOptions): Promise<string> {
  const question = "/info/refs?service=git-upload-pack";
  const answer = await guardedFetch(`${url.replace(/\/$/u, "")}${question}`, {
    signal: options.signal,
    timeoutMs: options.timeoutMs,
    maxBytes: 64 << 20,
    headers: { "git-protocol": "version=2" },
    ...(options.allow === undefined ? {} : { allow: options.allow }),
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  });
  if (answer.status !== 200 || !answer.url.endsWith(question)) {
    throw new CreameryError(
      "upstream",
      `is no git repository that can be read (${answer.status})`,
      { input: url, nextStep: "check the address; private repositories are not fetched" },
    );
  }
  return answer.url.slice(0, -question.length);
}

/** `HOST:PORT:ADDRESS`: git's curl asks no resolver again, so nobody can answer it otherwise. */
async function pin(url: URL, allow: readonly string[]): Promise<string> {
  const policy = addressPolicy(allow);
  assertHostAllowed(url.hostname, policy);
  const host = url.hostname.replace(/^\[|\]$/gu, "");
  const found = await lookup(host, { all: true }).catch((cause: unknown) => {
    throw new CreameryError("no-network", "has no address", { input: host, cause });
  });
  const allowed = found.filter(
    ({ address }) => policy.allowsHost(host) || policy.allowsAddress(address),
  );
  if (allowed.length === 0) throw addressRefused(host, found[0]?.address ?? null);
  return `${host}:${url.port === "" ? "443" : url.port}:${allowed.map(({ address, family }) => (family === 6 ? `[${address}]` : address)).join(",")}`;
}

interface GitRun extends FetchGitOptions {
  /** Of what it says; the rest is left out. */
  readonly maxChars?: number;
  readonly deadline: AbortSignal;
  readonly repository: string;
  readonly url: string;
}

function git(argv: readonly string[], options: GitRun): Promise<string> {
  const env = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ALLOW_PROTOCOL: "https",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    ...(options.ca === undefined ? {} : { GIT_SSL_CAINFO: join(options.repository, AUTHORITIES) }),
  };
  return new Promise((resolve, reject) => {
    // A group of its own: git's helpers end with it.
    const child = spawn("git", [...argv], {
      env,
      cwd: options.directory,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let fault: CreameryError | null = null;
    const end = (why: CreameryError): void => {
      fault ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    };
    const onAbort = (): void =>
      end(
        options.deadline.aborted
          ? new CreameryError("deadline", "took too long to fetch", { input: options.url })
          : new CreameryError("interrupted", "was interrupted", { input: options.url }),
      );
    if (options.signal.aborted) onAbort();
    options.signal.addEventListener("abort", onAbort, { once: true });
    const watch = setInterval(() => {
      void bytesBelow(options.directory).then((bytes) => {
        if (bytes > options.maxBytes)
          end(
            new CreameryError("upstream", `is larger than ${options.maxBytes} bytes`, {
              input: options.url,
            }),
          );
      });
    }, 200);
    const maxChars = options.maxChars ?? 65_536;
    let stdout = "";
    let stderr = "";
    child.stdout.on(
      "data",
      (chunk: Buffer) => (stdout = clip(stdout + chunk.toString(), maxChars)),
    );
    child.stderr.on("data", (chunk: Buffer) => (stderr = clip(stderr + chunk.toString(), 65_536)));
    const settle = (outcome: () => void): void => {
      clearInterval(watch);
      options.signal.removeEventListener("abort", onAbort);
      outcome();
    };
    child.on("error", (cause) =>
      settle(() =>
        reject(
          fault ??
            new CreameryError("host-lacks", "git can't be run", {
              nextStep: "apt-get install git",
              cause,
            }),
        ),
      ),
    );
    child.on("close", (code) => {
      settle(() => {
        if (fault !== null) reject(fault);
        else if (code === 0) resolve(stdout);
        else reject(gitFault(stderr, options.url));
      });
    });
  });
}

function gitFault(stderr: string, url: string): CreameryError {
  const line = printableLine(
    withoutCredentials(
      stderr
        .trim()
        .split("\n")
        .findLast((text) => /^(?:fatal|error):/u.test(text)) ?? "git failed",
    ),
  );
  if (/couldn't find remote ref|not our ref/u.test(line))
    return new CreameryError("usage", "has no such branch, tag or commit", {
      input: url,
      nextStep: "give a branch, a tag or a whole commit hash",
    });
  return new CreameryError("upstream", clip(line, 300), { input: url });
}

async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
