import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { lockBuilds } from "../../image/build-lock.ts";
import { loadImage } from "../../image/image-store.ts";
import type { ImageManifest } from "../../image/manifest.ts";
import type { Directories } from "../directories.ts";
import type { Guests, GuestStart } from "../guests.ts";
import type { MachineShape, SnapshotFacts } from "../protocol.ts";
import type { Session } from "../session.ts";
import { guestFilesHash, machineInitrd } from "./guest-files.ts";
import {
  machineArguments,
  machineMemoryBytes,
  opensReadOnly,
  processMemoryBytes,
  type MachinePurpose,
} from "./machine-arguments.ts";
import { findQemu, hostProcessor, type QemuProgram } from "./qemu-program.ts";
import { qemuStage } from "./qemu-stage.ts";
import { receiveState, type StateReceiver } from "./receive-state.ts";
import { scratchDisk, scratchDisks } from "./scratch-disks.ts";
import {
  isSealed,
  makeImageDisk,
  makeMemoryFile,
  makeScratchDisk,
  removeHalfMadeDisks,
  sealOf,
  sync,
  WatchedFile,
  writeStubs,
} from "./snapshot-files.ts";
import {
  listSnapshots,
  readSnapshot,
  snapshotsDirectory,
  type SnapshotManifest,
} from "./snapshot-manifest.ts";

/** Raised when snapshots of before would be read wrongly. */
const FORMAT = 1;
/** QEMU's threads: the machine's, the loop's, and those that read and write disks. */
const TASKS = 256;
const TEMPLATE_CPU_SECONDS = 3600;
const LAST_WORDS_MS = 30_000;

export interface SnapshotsOptions {
  readonly session: Session;
  readonly directories: Directories;
  readonly env: NodeJS.ProcessEnv;
  readonly guests: Guests;
}

interface Making {
  readonly key: string;
  readonly shape: MachineShape;
  readonly qemu: QemuProgram;
  readonly directory: string;
  readonly state: StateReceiver;
}

/** Virtual machines that were booted, warmed and stopped once, and of which every guest is a copy. */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #directory: string;
  readonly #making = new Map<string, Making>();
  readonly #images = new Map<string, Promise<ImageManifest>>();
  #qemu: Promise<QemuProgram> | undefined;
  #guestHash: string | undefined;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.#directory = snapshotsDirectory(options.directories);
  }

  /** @throws CreameryError `host-lacks`. */
  async qemu(): Promise<QemuProgram> {
    this.#qemu ??= findQemu(this.#options.env);
    return await this.#qemu;
  }

  async find(shape: MachineShape): Promise<{ key: string; ready: boolean }> {
    const key = await this.#key(shape);
    return { key, ready: await this.#isSound(key) };
  }

  /**
   * Boots the machine that is to be copied, one at a time on a host. What it needs is made first.
   * @throws CreameryError `unknown-image`, `host-lacks`, `disk-full`.
   */
  async begin(
    guestId: string,
    shape: MachineShape,
    signal: AbortSignal,
    onProgress: (event: unknown) => void,
  ): Promise<{ ready: boolean }> {
    const prepared = this.#options.guests.prepared(guestId);
    await mkdir(this.#directory, { recursive: true });
    const lock = await lockBuilds(this.#directory, signal, () => onProgress("waiting"));
    await using held = new AsyncDisposableStack();
    held.use(lock);
    await this.#removeLeftovers();
    const image = await this.#image(shape.imageId);
    const disk = this.#disk(shape.imageId);
    if (!existsSync(disk)) {
      onProgress("disk");
      await mkdir(dirname(disk), { recursive: true });
      await makeImageDisk(image, join(this.#imageDirectory(shape.imageId), "rootfs"), disk, signal);
    }
    const key = await this.#key(shape);
    if (await this.#isSound(key)) return { ready: true };
    onProgress("boot");
    const qemu = await this.qemu();
    const directory = join(this.#directory, `.making-${key}`);
    mkdirSync(directory, { mode: 0o755 });
    held.defer(() => rm(directory, { recursive: true, force: true }));
    const initrd = readFileSync(join(this.#imageDirectory(shape.imageId), "boot/initrd.img"));
    const guestFiles = join(this.#options.session.repository, "guest");
    await writeFile(
      join(directory, "initrd"),
      await machineInitrd(initrd, guestFiles, image, shape.memoryBytes),
    );
    if (guestFilesHash(guestFiles) !== this.#guestHash)
      throw new CreameryError("launcher", "the guest's files changed while a snapshot was begun", {
        input: guestFiles,
        nextStep: "run the same command again",
      });
    const kernel = readFileSync(join(this.#imageDirectory(shape.imageId), "boot/vmlinuz"));
    writeStubs(directory, kernel);
    makeMemoryFile(join(directory, "ram"), machineMemoryBytes(shape));
    const scratch = join(directory, "scratch");
    await makeScratchDisk(scratch, shape.diskBytes, signal);
    chownSync(scratch, prepared.firstUid, prepared.firstUid);
    const state = await receiveState(
      join(prepared.sockets, "state.sock"),
      join(directory, "state"),
    );
    held.defer(() => state.close());
    signal.throwIfAborted();
    this.#making.set(guestId, { key, shape, qemu, directory, state });
    held.defer(() => void this.#making.delete(guestId));
    const undo = held.move();
    try {
      this.#options.guests.start(guestId, {
        ...this.#start(shape, qemu, "template", directory, scratch),
        cpuSeconds: TEMPLATE_CPU_SECONDS,
        remove: () => undo.disposeAsync(),
      });
    } catch (thrown) {
      await undo.disposeAsync();
      throw thrown;
    }
    return { ready: false };
  }

  /**
   * Makes a snapshot of what the machine left, which has sent its state and is about to end.
   * @throws CreameryError `vm-resume` where it left nothing whole.
   */
  async keep(guestId: string, facts: SnapshotFacts): Promise<{ key: string }> {
    const making = this.#making.get(guestId);
    if (making === undefined)
      throw new CreameryError("launcher", "no snapshot is being made of it", { input: guestId });
    const { key, shape, qemu, directory, state } = making;
    await within(Promise.all([this.#options.guests.ended(guestId), state.received]), {
      deadline: {
        ms: LAST_WORDS_MS,
        error: () => new CreameryError("vm-resume", "the machine did not end"),
      },
    });
    const path = (name: string) => join(directory, name);
    chownSync(path("scratch"), 0, 0);
    chmodSync(path("scratch"), 0o600);
    // A copy has booted already.
    await rm(path("initrd"));
    for (const name of ["ram", "scratch", "state"]) await sync(path(name));
    const stateBytes = await readFile(path("state"));
    const manifest: SnapshotManifest = {
      schema: FORMAT,
      key,
      imageId: shape.imageId,
      accelerator: shape.accelerator,
      qemu: qemu.full,
      memoryBytes: shape.memoryBytes,
      diskBytes: shape.diskBytes,
      ram: sealOf(path("ram")),
      scratch: sealOf(path("scratch")),
      stateSha256: sha256(stateBytes),
      stateBytes: stateBytes.length,
      dirtyBytes: statSync(path("ram")).blocks * 512,
      ...facts,
      madeAt: new Date().toISOString(),
    };
    await writeFile(path("manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
    await sync(path("manifest.json"));
    await rm(join(this.#directory, key), { recursive: true, force: true });
    await rename(directory, join(this.#directory, key));
    await this.#removeSuperseded(manifest);
    return { key };
  }

  /** Starts a copy of a snapshot, which waits for `migrate-incoming` from STATE_DESCRIPTOR. */
  async startCopy(
    guestId: string,
    shape: MachineShape,
    cpuSeconds: number,
  ): Promise<{ started: boolean }> {
    const key = await this.#key(shape);
    const directory = join(this.#directory, key);
    const memory = WatchedFile.open(join(directory, "ram"));
    if (memory === null || !(await this.#isSound(key))) {
      memory?.close();
      return { started: false };
    }
    const { directories, session } = this.#options;
    const scratch = scratchDisk(directories, session.id, guestId);
    try {
      await mkdir(scratchDisks(directories), { recursive: true });
      this.#options.guests.start(guestId, {
        ...this.#start(shape, await this.qemu(), "copy", directory, scratch),
        cpuSeconds,
        assertSound: () => assertUntouched(memory, key),
        remove: async () => {
          memory.close();
          await rm(scratch, { force: true });
        },
      });
    } catch (thrown) {
      memory.close();
      throw thrown;
    }
    return { started: true };
  }

  async remove(key: string): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    const giveUp = AbortSignal.timeout(LAST_WORDS_MS);
    await using _lock = await lockBuilds(this.#directory, giveUp, () => undefined).catch(
      (thrown: unknown) => {
        if (!giveUp.aborted) throw thrown;
        throw new CreameryError("launcher", "another command is making a snapshot", {
          input: key,
          nextStep: "wait until it is done, then run the same command again",
          cause: thrown,
        });
      },
    );
    const doomed = join(this.#directory, `.removing-${key}`);
    await rm(doomed, { recursive: true, force: true });
    try {
      await rename(join(this.#directory, key), doomed);
    } catch {
      throw new CreameryError("usage", "there is no such snapshot", {
        input: key,
        nextStep: "`creamery snapshot list` shows those that are there",
      });
    }
    await rm(doomed, { recursive: true, force: true });
  }

  /** Of an image that is removed nothing is kept. */
  async forgetImage(imageId: string): Promise<void> {
    for (const { key } of (await listSnapshots(this.#directory)).filter(
      (one) => one.imageId === imageId,
    ))
      await rm(join(this.#directory, key), { recursive: true, force: true });
    await rm(this.#disk(imageId), { force: true });
  }

  /** All that a copy depends on: it goes on where another machine stopped, and would hang or fail in another one. */
  async #key(shape: MachineShape): Promise<string> {
    const qemu = await this.qemu();
    const image = await this.#image(shape.imageId);
    this.#guestHash ??= guestFilesHash(join(this.#options.session.repository, "guest"));
    const disk = this.#disk(shape.imageId);
    const parts = [
      FORMAT,
      shape,
      image.kernel,
      existsSync(disk) ? sealOf(disk) : null,
      qemu.full,
      machineArguments(shape, qemu, "template"),
      machineArguments(shape, qemu, "copy"),
      this.#guestHash,
      image.interpreters.map(({ name, executable }) => [name, executable]),
      // Emulated too, a machine counts time by the host's own counter.
      hostProcessor(),
    ];
    return sha256(JSON.stringify(parts)).slice(0, 16);
  }

  /** Whether there is one, and all of it is what it was when it was made. */
  async #isSound(key: string): Promise<boolean> {
    const manifest = await readSnapshot(this.#directory, key);
    if (manifest === null) return false;
    const path = (name: string) => join(this.#directory, key, name);
    if (!isSealed(path("ram"), manifest.ram) || !isSealed(path("scratch"), manifest.scratch))
      return false;
    const state = await readFile(path("state")).catch(() => null);
    return state !== null && sha256(state) === manifest.stateSha256;
  }

  #start(
    shape: MachineShape,
    qemu: QemuProgram,
    purpose: MachinePurpose,
    directory: string,
    scratch: string,
  ): Omit<GuestStart, "cpuSeconds"> {
    return {
      diskBytes: shape.diskBytes,
      limits: () => ({ memoryBytes: processMemoryBytes(shape), pids: TASKS }),
      stage: (prepared) =>
        qemuStage(prepared, {
          accelerator: shape.accelerator,
          files: {
            guest: join(this.#options.session.repository, "guest"),
            image: this.#disk(shape.imageId),
            ram: join(directory, "ram"),
            scratch,
            ...(purpose === "copy"
              ? {
                  vmlinuz: join(directory, "vmlinuz"),
                  initrd: join(directory, "no-initrd"),
                  state: join(directory, "state"),
                  pristine: join(directory, "scratch"),
                }
              : {
                  vmlinuz: join(this.#imageDirectory(shape.imageId), "boot/vmlinuz"),
                  initrd: join(directory, "initrd"),
                }),
          },
          writable: purpose === "copy" && opensReadOnly(qemu) ? ["scratch"] : ["ram", "scratch"],
          command: [qemu.path, ...machineArguments(shape, qemu, purpose)],
        }),
    };
  }

  #imageDirectory(imageId: string): string {
    return join(this.#options.directories.cache, "images", imageId);
  }

  #disk(imageId: string): string {
    return join(this.#directory, "disks", `${imageId}.ext4`);
  }

  /** @throws CreameryError `unknown-image`; `image-bad` for one without a kernel. */
  async #image(imageId: string): Promise<ImageManifest> {
    let loading = this.#images.get(imageId);
    if (loading === undefined) {
      loading = loadImage(join(this.#options.directories.cache, "images"), imageId);
      this.#images.set(imageId, loading);
      loading.catch(() => this.#images.delete(imageId));
    }
    const image = await loading;
    if (image.kernel === null)
      throw new CreameryError("image-bad", "the image has no kernel to boot", {
        input: imageId,
        nextStep: "give its definition a [kernel] group, or use --machine gvisor",
      });
    return image;
  }

  /** Under the lock, whatever is half made or half removed is nobody's. */
  async #removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.#directory))
      if (/^\.(?:making|removing)-/u.test(name))
        await rm(join(this.#directory, name), { recursive: true, force: true });
    await removeHalfMadeDisks(join(this.#directory, "disks"));
  }

  /** What this snapshot takes the place of, and what belongs to images that are gone. */
  async #removeSuperseded(kept: SnapshotManifest): Promise<void> {
    for (const other of await listSnapshots(this.#directory)) {
      const same =
        other.imageId === kept.imageId &&
        other.accelerator === kept.accelerator &&
        other.memoryBytes === kept.memoryBytes &&
        other.diskBytes === kept.diskBytes;
      const orphan = !existsSync(this.#imageDirectory(other.imageId));
      if (other.key !== kept.key && (same || orphan))
        await rm(join(this.#directory, other.key), { recursive: true, force: true });
    }
  }
}

/** @throws CreameryError `vm-resume`. */
function assertUntouched(memory: WatchedFile, key: string): void {
  if (memory.isUntouched()) return;
  throw new CreameryError(
    "vm-resume",
    "the memory that this virtual machine was copied from was written to: nothing that was seen in it can be trusted",
    {
      input: key,
      nextStep:
        "run the same command again, on a new snapshot; what ran beside it may have got out of its machine (SECURITY.md)",
    },
  );
}

function sha256(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex");
}
