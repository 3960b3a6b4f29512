import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { isOfEnded, PROCESS_NAME } from "../../base/process-name.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { GitMirrors, GitMirrorsOptions } from "../../index/git/git-mirrors.ts";
import type { IndexService } from "../../index/index-service.ts";
import { readAuthorities } from "../../index/upstream/upstreams.ts";
import { launcher as processLauncher, type LauncherClient } from "../../launcher/client.ts";
import { directoriesFrom, type Directories } from "../../launcher/directories.ts";
import type { Machine } from "../../machine/machine.ts";
import {
  autoMachine,
  isolates,
  openMachine,
  type AvailableKind,
  type MachineDependencies,
} from "../../machine/open-machine.ts";
import type { FarmConfig } from "../../model/config/farm-config.ts";
import { guestSpec } from "../../worker/guest-spec.ts";
import { askerCwd } from "./asker-cwd.ts";
import type { OpenIndexOptions } from "./open-index.ts";
import { readConfig, type ReadConfig } from "./read-config.ts";
import { PROBE_STEP, SNAPSHOT_STEPS } from "./snapshot-steps.ts";

export type MachineChoice = "auto" | AvailableKind;

export interface OpenHostOptions {
  /** As typed after `--config`. */
  readonly config: string | undefined;
  readonly machine: MachineChoice;
  /** The image to run, found, built or fetched while the rest is opened. */
  readonly image: (imagesDir: string, launcher: LauncherClient) => Promise<ImageManifest>;
  /** What attempts are served from; by default the mirror of this host's own upstreams. */
  readonly index?: (
    directory: string,
    repositories: GitMirrors | undefined,
  ) => Promise<IndexService>;
  /** Where repositories are had; by default of their own hosts. */
  readonly hosts?: GitMirrorsOptions["hosts"];
  /** Guests to start at once, before it is known what will run in them. */
  readonly startAhead: number;
  /** Is given a line where something takes long: KVM is tried, a snapshot is made. */
  readonly tell: (line: string) => void;
  /** Told that an index lists a file with another hash than it had; by default as another line of these. */
  readonly onReplaced?: (line: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** What runs attempts on this host: guests of an image, and the index that they are given. */
export interface Host extends AsyncDisposable {
  readonly config: FarmConfig;
  readonly directories: Directories;
  readonly overrideOf: ReadConfig["overrideOf"];
  readonly launcher: LauncherClient;
  readonly image: ImageManifest;
  readonly machine: Machine;
  /** Why this machine kind was taken. */
  readonly why: string;
  /** Where a failure may be run again; null where policy or host have nothing to confirm with. */
  readonly confirming: Machine | null;
  /** Is on its way from the first: asking the host's tools takes time. */
  readonly index: Promise<IndexService>;
  /** Of source repositories. */
  readonly mirrors: Promise<GitMirrors>;
  /** PEM text to trust besides what this host does. */
  readonly authorities: () => Promise<string | undefined>;
  /** For logs that are being written. */
  readonly workDirectory: string;
  /** For what the installer knows of the image's interpreters. */
  readonly warmDirectory: string;
  /** Of the person who asked. */
  readonly cwd: string;
}

/**
 * @throws CreameryError `configuration-file`, `isolation`, `host-lacks`, `image-build`, `disk-full`.
 */
export async function openHost(options: OpenHostOptions): Promise<Host> {
  const { env, signal } = options;
  const launcher = processLauncher();
  const directories = directoriesFrom(env);
  const cwd = askerCwd(env);
  await using opened = new AsyncDisposableStack();

  const image = options.image(join(directories.cache, "images"), launcher);
  image.catch(() => undefined);
  const { config, overrideOf } = await readConfig(options.config, cwd, launcher);
  const specOf = async (machine: Machine) => guestSpec(machine, (await image).id, config.limits);
  const startAhead = (machine: Machine) => {
    // What keeps the image from being there is told below.
    specOf(machine)
      .then((known) => machine.startAhead(known, options.startAhead))
      .catch(() => undefined);
  };
  const opening: MachineDependencies = {
    launcher,
    ahead: startAhead,
    imageId: image.then(({ id }) => id),
    onProbe: () => options.tell(PROBE_STEP),
    onSnapshot: (step) => options.tell(SNAPSHOT_STEPS[step]),
  };
  opening.imageId?.catch(() => undefined);
  const { machine, why } = await chooseMachine(options.machine, config, opening);
  opened.use(machine);
  // Loaded while the first guest starts.
  const openOwn: OpenHostOptions["index"] = async (directory, repositories) => {
    const asked: OpenIndexOptions["asked"] = async () => ({ machine, spec: await specOf(machine) });
    const onReplaced = options.onReplaced ?? options.tell;
    const { openIndex } = await import("./open-index.ts");
    return await openIndex({ config, directory, repositories, env, signal, asked, onReplaced });
  };
  const authorities = () => readAuthorities(config.upstreams, env);
  const mirrors = openMirrors(join(directories.cache, "index", "git"), {
    config,
    authorities,
    hosts: options.hosts,
  });
  mirrors.catch(() => undefined);
  opened.defer(async () => (await mirrors.catch(() => null))?.[Symbol.asyncDispose]());
  const open = options.index ?? openOwn;
  const index = mirrors.then((kept) =>
    open(join(directories.cache, "index"), config.repositories.serve ? kept : undefined),
  );
  index.catch(() => undefined);
  opened.defer(async () => (await index.catch(() => null))?.[Symbol.asyncDispose]());
  const { ahead: _, ...confirmingWith } = opening;
  const confirming = await confirmingMachine(machine, config, confirmingWith);
  if (confirming !== null && confirming !== machine) opened.use(confirming);

  const workDirectory = join(directories.data, "partial");
  await mkdir(workDirectory, { recursive: true });
  await removeLogs(workDirectory, isOfEnded);
  opened.defer(() => removeLogs(workDirectory, (name) => name.startsWith(`${PROCESS_NAME}-`)));
  const parts = opened.move();
  return {
    config,
    directories,
    overrideOf,
    launcher,
    image: await image,
    machine,
    why,
    confirming,
    index,
    mirrors,
    authorities,
    workDirectory,
    warmDirectory: join(directories.cache, "index", "warm"),
    cwd,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

async function openMirrors(
  directory: string,
  {
    config: { allowedAddresses: allow, repositories },
    authorities,
    hosts,
  }: Pick<Host, "config" | "authorities"> & Pick<OpenHostOptions, "hosts">,
): Promise<GitMirrors> {
  const { GitMirrors: Mirrors } = await import("../../index/git/git-mirrors.ts");
  return await Mirrors.open({ directory, allow, authorities, ...repositories, hosts });
}

/** @throws CreameryError `usage` for a kind that policy forbids, `isolation` where none is left, `host-lacks`. */
async function chooseMachine(
  choice: MachineChoice,
  config: FarmConfig,
  opening: MachineDependencies,
): Promise<{ machine: Machine; why: string }> {
  const { minimum } = config.isolation;
  if (choice === "auto") return autoMachine(minimum, opening);
  if (!isolates(choice, minimum))
    throw new CreameryError("usage", `is below isolation.minimum "${minimum}"`, {
      input: `--machine ${choice}`,
      nextStep: "leave --machine out, or change isolation.minimum in creamery.toml",
    });
  return { machine: await openMachine(choice, opening), why: "it was asked for" };
}

/**
 * Failures are run again on the kind that is nearest to an ordinary host: a container, where that is allowed, else a virtual
 * machine.
 */
async function confirmingMachine(
  machine: Machine,
  config: FarmConfig,
  opening: MachineDependencies,
): Promise<Machine | null> {
  const { minimum, confirm } = config.isolation;
  if (!confirm) return null;
  const kind = isolates("container", minimum) ? "container" : "qemu";
  if (machine.kind === kind) return machine;
  // A host without the second runtime leaves failures unconfirmed, and the result says so.
  return openMachine(kind, opening).catch(() => null);
}

/** Logs of attempts that came to no end: whole results have theirs in the bucket. */
async function removeLogs(workDirectory: string, of: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(workDirectory))
    if (of(name)) await rm(join(workDirectory, name), { force: true });
}
