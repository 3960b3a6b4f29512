import { link, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import type { LockedPackage } from "./lock/image-lock.ts";
import type { SourceFiles } from "./lock/source-files.ts";
import { runContained } from "./run-contained.ts";

const DEADLINE_MS = 10 * 60_000;

/** What an archive says that it is (deb-control(5)). */
type Names = Pick<LockedPackage, "name" | "version" | "architecture">;

/**
 * Moves the archives of a directory among the build's files.
 * @param use what the build does with them. @param essential names that apt takes for essential.
 */
export async function takeArchives(
  directory: string,
  use: LockedPackage["use"],
  essential: ReadonlySet<string>,
  files: SourceFiles,
  signal: AbortSignal,
): Promise<LockedPackage[]> {
  const archives = (await readdir(directory).catch(() => [])).filter((name) =>
    name.endsWith(".deb"),
  );
  const packages: LockedPackage[] = [];
  for (const [index, names] of (await namesOf(directory, archives, signal)).entries())
    packages.push({
      ...names,
      ...(await files.add(join(directory, archives[index] ?? ""))),
      use,
      ...(essential.has(names.name) ? { essential: true } : {}),
    });
  return packages.toSorted(byNameAndVersion);
}

/** Names of which the lists of a root file system have an essential version, in whatever suite. */
export async function essentialNames(
  rootfs: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const script =
    "cd \"$1\" && awk '/^Package: /{name=$2} /^Essential: yes$/{print name}' *_Packages";
  return new Set(await run(script, [join(rootfs, "var/lib/apt/lists")], signal));
}

function byNameAndVersion(left: Names, right: Names): number {
  const [one, other] = [left, right].map(({ name, version }) => `${name} ${version}`);
  return (one ?? "") < (other ?? "") ? -1 : 1;
}

/**
 * A repository that apt reads from a directory, of those packages alone that are installed, whichever suites they once came from.
 * Nothing of it is signed: each archive was held against the lock's hash before, and apt does so again.
 * @returns its line for apt's sources.
 * @throws CreameryError `image-build` for an archive that is another package than the lock says.
 */
export async function makeRepository(
  directory: string,
  packages: readonly LockedPackage[],
  files: SourceFiles,
  signal: AbortSignal,
): Promise<string> {
  await mkdir(directory, { mode: 0o755 });
  const archives: string[] = [];
  for (const { sha256 } of packages) {
    const archive = `${sha256}.deb`;
    await link(files.path(sha256), join(directory, archive));
    archives.push(archive);
  }
  const said = await namesOf(directory, archives, signal);
  for (const [index, { name, version, architecture }] of packages.entries()) {
    const found = said[index];
    if (found?.name === name && found.version === version && found.architecture === architecture)
      continue;
    throw new CreameryError(
      "image-build",
      printableLine(
        `the lock calls a file ${name} ${version} ${architecture}, and it is ${found?.name} ${found?.version} ${found?.architecture}`,
      ),
      {
        input: packages[index]?.sha256 ?? "",
        nextStep: "take the lock as `creamery image lock` wrote it",
      },
    );
  }
  const installed = packages
    .filter(({ use }) => use === "install")
    .map(({ sha256, essential = false }) => `${sha256}.deb ${essential ? "yes" : "no"}\n`);
  await writeFile(join(directory, "installed"), installed.join(""));
  await run(
    'cd "$1" && while read -r deb essential; do dpkg-deb --field "$deb" >field && grep -v "^Essential:" field && printf "Essential: %s\\nFilename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n" "$essential" "$deb" "$(stat -c %s "$deb")" "${deb%.deb}" || exit 1; done <installed >Packages',
    [directory],
    signal,
  );
  const address = directory.split("/").map(encodeURIComponent).join("/");
  return `deb [trusted=yes] copy:${address} ./\n`;
}

async function namesOf(
  directory: string,
  archives: readonly string[],
  signal: AbortSignal,
): Promise<Names[]> {
  const lines = await run(
    'cd "$1" && shift && for deb; do dpkg-deb --show --showformat="\\${Package} \\${Version} \\${Architecture}\\n" "./$deb" || exit 1; done',
    [directory, ...archives],
    signal,
  );
  if (lines.length !== archives.length)
    throw new CreameryError("image-build", "a Debian package does not say what it is", {
      input: printableLine(lines.find((line) => line.split(" ").length !== 3) ?? ""),
    });
  return lines.map((line) => {
    const [name = "", version = "", architecture = ""] = line.split(" ");
    return { name, version, architecture };
  });
}

async function run(
  script: string,
  given: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const { code, tail } = await runContained({
    argv: ["sh", "-c", script, "sh", ...given],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
    network: false,
    deadlineMs: DEADLINE_MS,
    signal,
    onLine: (line) => lines.push(line),
  });
  if (code === 0) return lines;
  throw new CreameryError(
    "image-build",
    `a Debian package could not be read: ${printableLine(tail.at(-1) ?? "")}`,
  );
}
