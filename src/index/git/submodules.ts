import { askRepository, isCommitHash, type BareRepository } from "./bare-repository.ts";

export interface Submodule {
  /** In the tree that names it. */
  readonly path: string;
  readonly commit: string;
  /** By https; null where its address can't be read as one. */
  readonly url: string | null;
}

const MAX_SUBMODULES = 200;

/** What a tree's `.gitmodules` names and the tree itself has, in that order. */
export async function submodulesOf(
  repository: BareRepository,
  commit: string,
  signal: AbortSignal,
): Promise<readonly Submodule[]> {
  // What it includes would be a file of this host's.
  const settings = ["config", "--no-includes", "--blob", `${commit}:.gitmodules`];
  const asked = ["-z", "--get-regexp", "^submodule\\..*\\.(path|url)$"];
  const said = await askRepository(repository, [...settings, ...asked], {
    signal,
    noneIsOne: true,
  }).catch(() => "");
  signal.throwIfAborted();
  const named = new Map<string, { path?: string; url?: string }>();
  for (const row of said.split("\0")) {
    const [, name = "", key = "", value = ""] =
      /^submodule\.(.+)\.(path|url)\n(.*)$/su.exec(row) ?? [];
    if (name === "" || named.size >= MAX_SUBMODULES) continue;
    named.set(name, { ...named.get(name), [key]: value });
  }
  const paths = [...named.values()].flatMap(({ path }) =>
    path === undefined || path === "" || path.startsWith("-") ? [] : [path],
  );
  if (paths.length === 0) return [];
  const listed = await askRepository(repository, ["ls-tree", "-z", commit, "--", ...paths], {
    signal,
  });
  const commits = new Map<string, string>();
  for (const row of listed.split("\0")) {
    const [, hash = "", path = ""] = /^160000 commit ([0-9a-f]+)\t(.*)$/su.exec(row) ?? [];
    if (isCommitHash(hash)) commits.set(path, hash);
  }
  return [...named.values()].flatMap(({ path = "", url = "" }) => {
    const found = commits.get(path);
    return found === undefined
      ? []
      : [{ path, commit: found, url: httpsAddress(url, repository.url) }];
  });
}

/**
 * Whatever way an address is written, the same repository by https.
 * @param parent of the repository that names it: a relative address begins there.
 */
export function httpsAddress(text: string, parent: string): string | null {
  if (/^\.\.?\//u.test(text))
    return URL.parse(text, `${parent}/`)?.href.replace(/\/+$/u, "") ?? null;
  const [, host, path] = /^(?:[\w.-]+@)([a-z0-9.-]+):(?!\/\/)\/?(.+)$/iu.exec(text) ?? [];
  if (host !== undefined) return URL.parse(`https://${host}/${path}`)?.href ?? null;
  const [, scheme = "", rest = ""] = /^([a-z+]+):\/\/(.+)$/iu.exec(text) ?? [];
  if (!["https", "http", "git", "ssh", "git+ssh"].includes(scheme.toLowerCase())) return null;
  const url = URL.parse(`https://${rest}`);
  if (url === null || url.password !== "") return null;
  // ssh's user is the forge's own; its port, and git's, are none of https.
  if (scheme !== "https") url.port = "";
  if (scheme.endsWith("ssh")) url.username = "";
  return url.href;
}
