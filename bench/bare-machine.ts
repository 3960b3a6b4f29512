import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";

import { loadImage } from "../src/image/image-store.ts";
import { machineInitrd } from "../src/launcher/qemu/guest-files.ts";
import {
  machineArguments,
  machineMemoryBytes,
  STATE_DESCRIPTOR,
} from "../src/launcher/qemu/machine-arguments.ts";
import type { QemuProgram } from "../src/launcher/qemu/qemu-program.ts";
import { receiveState } from "../src/launcher/qemu/receive-state.ts";
import { makeImageDisk, makeScratchDisk, writeStubs } from "../src/launcher/qemu/snapshot-files.ts";
import { warmSchema } from "../src/machine/agent/agent-messages.ts";
import { AgentLink } from "../src/machine/agent/agent-link.ts";
import { adoptionOf } from "../src/machine/qemu/adoption.ts";
import { firstConnection, readFirstMessage } from "../src/machine/agent/handshake.ts";
import { prepareMigration, sendState, stopAtRest, takeState } from "../src/machine/qemu/migrate.ts";
import { QmpClient } from "../src/machine/qemu/qmp-client.ts";
import { emptyQcow2 } from "./qcow2.ts";

const MIB = 1024 * 1024;
const REPOSITORY = join(import.meta.dirname, "..");
const SHAPE = { accelerator: "tcg", memoryBytes: 2560 * MIB } as const;
const DISK_BYTES = 1024 * MIB;
const BOOT_MS = 10 * 60_000;
const never = new AbortController().signal;

/**
 * The farm's own machine, command line and guest, without the farm around it: so that two ways of going on with one machine
 * differ in nothing else.
 */
export class BareMachine {
  readonly #directory: string;
  readonly #qemu: QemuProgram;
  readonly #ballastMib: number;

  private constructor(directory: string, qemu: QemuProgram, ballastMib: number) {
    this.#directory = directory;
    this.#qemu = qemu;
    this.#ballastMib = ballastMib;
  }

  /**
   * Boots it in a directory of its own, with so much memory in use beside its own.
   * Leaves what a copy needs (`ram`, `state`, `scratch`), and what `loadvm` needs (`scratch.qcow2`).
   */
  static async make(options: {
    readonly directory: string;
    readonly imagesDir: string;
    readonly imageId: string;
    readonly disk: string;
    readonly qemu: QemuProgram;
    readonly ballastMib: number;
  }): Promise<{ machine: BareMachine; dirtyBytes: number }> {
    const { directory, imagesDir, imageId, disk, qemu, ballastMib } = options;
    const boot = join(imagesDir, imageId, "boot");
    const path = (name: string) => join(directory, name);
    symlinkSync(disk, path("image"));
    symlinkSync(join(boot, "vmlinuz"), path("kernel"));
    writeStubs(directory, readFileSync(path("kernel")));
    const initrd = readFileSync(join(boot, "initrd.img"));
    const guest = join(REPOSITORY, "guest");
    // Nothing is warmed: how much is in use is the bench's to say.
    writeFileSync(
      path("initrd"),
      await machineInitrd(initrd, guest, { interpreters: [] }, SHAPE.memoryBytes),
    );
    await makeScratchDisk(path("pristine"), DISK_BYTES, never);
    writeFileSync(path("ram"), "");
    const machine = new BareMachine(directory, qemu, ballastMib);
    copySparse(path("pristine"), path("scratch"));
    await machine.#bootInto("template", async (control) => {
      await prepareMigration(control, never);
      const receiver = await receiveState(path("state.sock"), path("state"));
      await sendState(control, never, path("state.sock"));
      await receiver.received;
    });
    const dirtyBytes = statSync(path("ram")).blocks * 512;
    const size = statSync(path("pristine")).size;
    writeFileSync(path("scratch.qcow2"), emptyQcow2(size, path("pristine")));
    await machine.#bootInto("loadvm", async (control) => {
      await control.command(
        "human-monitor-command",
        { "command-line": "savevm warm" },
        { deadlineMs: BOOT_MS },
      );
    });
    return { machine, dirtyBytes };
  }

  static async imageDisk(imagesDir: string, imageId: string, path: string): Promise<void> {
    const rootfs = join(imagesDir, imageId, "rootfs");
    await makeImageDisk(await loadImage(imagesDir, imageId), rootfs, path, never);
  }

  /** ms to the agent's hello: from QEMU's start, and from when it is told to go on, having started. */
  async resume(way: "copy" | "loadvm"): Promise<{ startMs: number; resumeMs: number }> {
    const running = await this.#start(way);
    const ready = performance.now();
    try {
      const nonce = randomBytes(16).toString("hex");
      const { control } = running;
      const accepted = AgentLink.accept({
        guest: running.agent,
        nonce,
        deadlineMs: BOOT_MS,
        signal: never,
        adoption: adoptionOf(nonce, { pids: 512 }),
      });
      if (way === "copy") {
        await prepareMigration(control, never);
        await takeState(control, never);
      } else {
        await control.command(
          "human-monitor-command",
          { "command-line": "loadvm warm" },
          { deadlineMs: BOOT_MS },
        );
      }
      await control.command("cont");
      await accepted;
      const answered = performance.now();
      return { startMs: answered - running.began, resumeMs: answered - ready };
    } finally {
      await running.end();
    }
  }

  async #bootInto(
    purpose: "template" | "loadvm",
    then: (control: QmpClient) => Promise<void>,
  ): Promise<void> {
    const running = await this.#start(purpose === "template" ? "template" : "boot");
    try {
      const deadline = AbortSignal.timeout(BOOT_MS);
      await readFirstMessage(await running.agent, warmSchema, deadline);
      await stopAtRest(running.control, never);
      await then(running.control);
    } finally {
      await running.end();
    }
  }

  async #start(way: "template" | "boot" | "copy" | "loadvm"): Promise<{
    /** When QEMU was started, ms of performance.now(). */
    readonly began: number;
    readonly control: QmpClient;
    readonly agent: Promise<Socket>;
    end(): Promise<void>;
  }> {
    const path = (name: string) => join(this.#directory, name);
    for (const name of ["agent.sock", "qmp.sock"]) rmSync(path(name), { force: true });
    if (way === "copy") copySparse(path("pristine"), path("scratch"));
    const [agentServer, controlServer] = [createServer(), createServer()];
    agentServer.listen(path("agent.sock"));
    controlServer.listen(path("qmp.sock"));
    await Promise.all([once(agentServer, "listening"), once(controlServer, "listening")]);
    const agent = firstConnection(agentServer, never);
    const connected = firstConnection(controlServer, never);
    const state = way === "copy" ? openSync(path("state"), "r") : undefined;
    const stdio: ("ignore" | number)[] = Array.from({ length: STATE_DESCRIPTOR }, () => "ignore");
    if (state !== undefined) stdio.push(state);
    const began = performance.now();
    const child = spawn(this.#qemu.path, this.#arguments(way), { stdio });
    if (state !== undefined) closeSync(state);
    const control = await QmpClient.open(await connected, { deadlineMs: BOOT_MS, signal: never });
    return {
      began,
      control,
      agent,
      end: async () => {
        control.close();
        agentServer.close();
        controlServer.close();
        await ended(child);
      },
    };
  }

  #arguments(way: "template" | "boot" | "copy" | "loadvm"): string[] {
    const ofCopy = way === "template" || way === "copy";
    const boots = way === "template" || way === "boot";
    const words = machineArguments(SHAPE, this.#qemu, way === "copy" ? "copy" : "template").map(
      (word) => {
        const placed = (boots ? word.replace("/machine/vmlinuz", "/machine/kernel") : stubbed(word))
          .replaceAll("/machine/", `${this.#directory}/`)
          .replaceAll("/sockets/", `${this.#directory}/`);
        if (word.startsWith("rdinit=")) return `${placed} creamery.ballast=${this.#ballastMib}`;
        if (ofCopy) return placed;
        // loadvm keeps memory and state in a disk image, and wants memory of QEMU's own.
        if (word.startsWith("memory-backend-file"))
          return `memory-backend-ram,id=mem,size=${machineMemoryBytes(SHAPE)}`;
        return placed.replace("/scratch,format=raw", "/scratch.qcow2,format=qcow2");
      },
    );
    return way === "loadvm" ? [...words, "-S"] : words;
  }
}

/** What has booted is given no initrd, and of its kernel only the head. */
function stubbed(word: string): string {
  return word.replace("/machine/initrd", "/machine/no-initrd");
}

/** As start-guest.sh does it. */
function copySparse(from: string, to: string): void {
  execFileSync("cp", ["--sparse=always", from, to]);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
