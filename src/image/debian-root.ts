import { execFile } from "node:child_process";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { clip, printableLine } from "../base/bounded-text.ts";
import { CreameryError } from "../base/errors.ts";
import { AptTally } from "./apt-tally.ts";
import type { BuildProgress } from "./build-event.ts";
import { essentialNames, makeRepository, takeArchives } from "./debian-archives.ts";
import {
  aptPreferences,
  aptSources,
  unpackedPackages,
  wantedPackages,
  type ImageDefinition,
} from "./definition.ts";
import { hostMirror } from "./host-mirror.ts";
import { UNPACKED_DIR } from "./installed-packages.ts";
import type { ImageLock, LockedPackage } from "./lock/image-lock.ts";
import type { SourceFiles } from "./lock/source-files.ts";
import { runContained } from "./run-contained.ts";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const PREFERENCES = "preferences";
const DEADLINE_MS = 45 * 60_000;
// Documentation and translations: a third of the size, and nothing that runs.
const EXCLUDED = ["/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*"];

export interface DebianRootRequest {
  readonly definition: ImageDefinition;
  /** Empty or not there yet. */
  readonly rootfs: string;
  /** For apt's sources and preferences. */
  readonly scratch: string;
  /** Instead of the one in the host's apt sources. */
  readonly aptMirror: string | undefined;
  /** The packages' archives come from among them, or go there. */
  readonly files: SourceFiles;
  readonly progress: BuildProgress;
  readonly signal: AbortSignal;
}

/** Where packages come from. */
interface PackageSource {
  /** As a person knows it. */
  readonly what: string;
  /** apt's own lines. */
  readonly sources: string;
  readonly network: boolean;
  /** More for mmdebstrap. */
  readonly options: readonly string[];
}

/**
 * Installs all Debian packages of a definition with mmdebstrap(1); those that are only to be unpacked are fetched, and no more.
 * @returns each archive that was needed for it, by name.
 * @throws CreameryError `host-lacks`, `no-network`, `disk-full`, `image-build` with the cause in words.
 */
export async function installDebianRoot(request: DebianRootRequest): Promise<LockedPackage[]> {
  const { files, rootfs, signal } = request;
  if (files.locked !== null) {
    await install(request, await lockedSource(request, files.locked));
    return files.locked.packages;
  }
  await install(request, await mirrorSource(request));
  const essential = await essentialNames(rootfs, signal);
  const take = (directory: string, use: LockedPackage["use"]) =>
    takeArchives(join(rootfs, directory), use, essential, files, signal);
  return [
    ...(await take("var/cache/apt/archives", "install")),
    ...(await take(UNPACKED_DIR, "unpack")),
  ];
}

async function mirrorSource({
  definition,
  scratch,
  aptMirror,
  signal,
}: DebianRootRequest): Promise<PackageSource> {
  await access(KEYRING).catch((cause: unknown) => {
    throw new CreameryError("host-lacks", "Debian's keyring is missing", {
      input: KEYRING,
      nextStep: "install debian-archive-keyring",
      cause,
    });
  });
  const mirror = aptMirror ?? (await hostMirror(signal));
  await writeFile(join(scratch, PREFERENCES), aptPreferences(definition));
  const unpacked = unpackedPackages(definition);
  return {
    what: mirror,
    sources: aptSources(definition, mirror, KEYRING),
    network: true,
    options: [
      '--aptopt=Acquire::Retries "3"',
      // What they say is read once more after apt (essentialNames).
      '--aptopt=Acquire::GzipIndexes "false"',
      ...(await hostAptOptions()).map((option) => `--aptopt=${option}`),
      '--setup-hook=install -D -m 644 "$CREAMERY_PREFERENCES" "$1/etc/apt/preferences.d/creamery"',
      // Fetched here, where apt, its lists and the network are at hand.
      ...(unpacked.length === 0
        ? []
        : [
            `--customize-hook=install -d -m 777 "$1${UNPACKED_DIR}" && cd "$1${UNPACKED_DIR}" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -q download ${unpacked.join(" ")}`,
          ]),
    ],
  };
}

/** Suites, pins and preferences have done their work: there is one version of each. */
async function lockedSource(
  { scratch, files, signal }: DebianRootRequest,
  { packages }: ImageLock,
): Promise<PackageSource> {
  const sources = await makeRepository(join(scratch, "repository"), packages, files, signal);
  return { what: "the lock's packages", sources, network: false, options: [] };
}

async function install(
  { definition, rootfs, scratch, progress, signal }: DebianRootRequest,
  { what, sources, network, options }: PackageSource,
): Promise<void> {
  const sourcesFile = join(scratch, "sources.list");
  await writeFile(sourcesFile, sources);
  const base = definition.suites[0]?.name ?? "";
  const tally = new AptTally();
  const { code, tail } = await runContained({
    argv: [
      "mmdebstrap",
      "--verbose",
      "--variant=apt",
      "--mode=root",
      "--format=directory",
      `--architectures=${definition.architecture}`,
      // The archives that were fetched are kept.
      "--skip=cleanup/apt,essential/unlink",
      '--aptopt=APT::Install-Recommends "false"',
      '--aptopt=Acquire::Languages "none"',
      ...options,
      ...EXCLUDED.map((path) => `--dpkgopt=path-exclude=${path}`),
      "--dpkgopt=path-include=/usr/share/locale/locale.alias",
      "--dpkgopt=force-unsafe-io",
      `--include=${wantedPackages(definition).join(",")}`,
      base,
      rootfs,
      sourcesFile,
    ],
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      DEBIAN_FRONTEND: "noninteractive",
      CREAMERY_PREFERENCES: join(scratch, PREFERENCES),
      TMPDIR: scratch,
      SOURCE_DATE_EPOCH: String(definition.epoch),
      ...proxies(process.env),
      // The initrd is made once, in the kernel's own step.
      INITRD: "No",
    },
    network,
    deadlineMs: DEADLINE_MS,
    signal,
    onLine: (line) => {
      const counts = tally.hear(line);
      if (counts !== null) progress.say("packages", counts.detail, counts);
    },
  });
  if (code !== 0) throw debianFault(tail, what);
}

/** What apt and mmdebstrap said last, as one fault that a person can act on. */
export function debianFault(tail: readonly string[], mirror: string): CreameryError {
  const complaint = tail.findLast(
    (line) =>
      /^(?:E|W|Err|dpkg: error)\b/u.test(line) &&
      !/^E: (?:apt-get|run_chroot|chroot|mmdebstrap).*failed|^E: mmdebstrap/u.test(line),
  );
  const text = tail.join("\n");
  const said = clip(printableLine(complaint ?? tail.at(-1) ?? "mmdebstrap said nothing"), 300);
  if (/No space left on device|not have enough free space/u.test(text)) {
    return new CreameryError("disk-full", "the disk filled up while packages were installed", {
      nextStep: "free some space, then run the same command again",
    });
  }
  const expired =
    /Release file for (\S+) is expired[^.]*\(([^)]*)\)/u.exec(text) ??
    /Release file for (\S+) is expired/u.exec(text);
  if (expired !== null) {
    const since = expired[2] === undefined ? "" : ` (${expired[2]})`;
    return new CreameryError(
      "image-build",
      `the mirror's Release file is past its Valid-Until${since}`,
      {
        input: expired[1] ?? mirror,
        nextStep:
          "use a mirror that is up to date, or set accept_expired_release for that suite in image.toml",
      },
    );
  }
  if (
    /NO_PUBKEY|EXPKEYSIG|BADSIG|is not signed|couldn't be verified|could not be verified/u.test(
      text,
    )
  ) {
    return new CreameryError("image-build", `a signature of the mirror was refused: ${said}`, {
      input: mirror,
      nextStep: "upgrade debian-archive-keyring, or use another mirror",
    });
  }
  const unknown =
    /Unable to locate package (\S+)|Package '?([^\s']+)'? has no installation candidate/u.exec(
      text,
    );
  if (unknown !== null) {
    return new CreameryError("image-build", "none of the suites has this package", {
      input: unknown[1] ?? unknown[2] ?? "",
      nextStep: "mend [packages] in image.toml",
    });
  }
  if (
    /Temporary failure resolving|Could not resolve|Could not connect|Connection (?:failed|refused|timed out)|Network is unreachable|Unable to connect/u.test(
      text,
    )
  ) {
    return new CreameryError("no-network", `the Debian mirror can't be reached: ${said}`, {
      input: mirror,
      nextStep: "check the network and the host's apt sources, then run the same command again",
    });
  }
  return new CreameryError("image-build", `Debian packages could not be installed: ${said}`, {
    input: mirror,
    nextStep: "run the same command again",
  });
}

function proxies(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      /^(?:https?|no)_proxy$/iu.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

/** What the host's own apt needs to reach its mirror: proxies, certificates, credentials are not among the image's files. */
async function hostAptOptions(): Promise<string[]> {
  const { stdout } = await promisify(execFile)("apt-config", [
    "dump",
    "Acquire::http",
    "Acquire::https",
  ]).catch(() => ({ stdout: "" }));
  return stdout
    .split("\n")
    .filter((line) =>
      /^Acquire::https?::[A-Za-z0-9:._-]*(?:Proxy|CaInfo|Verify-Peer|Verify-Host)[A-Za-z0-9:._-]* "[^"\n]*";$/u.test(
        line,
      ),
    )
    .map((line) => line.slice(0, -1));
}
