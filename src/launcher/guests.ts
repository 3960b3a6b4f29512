import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { rm, statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CreameryError } from "../base/errors.ts";
import { GuestCgroup, type CgroupLimits } from "./cgroup.ts";
import { FARM_UID } from "./directories.ts";
import type { Counters, Runtime } from "./protocol.ts";
import type { Session } from "./session.ts";

/** Beyond any id a host gives to people; each guest has its own 65536 above it. */
const FIRST_GUEST_UID = 2_000_000_000;
const GUEST_UID_RANGES = 30_000;
const WATCH_MS = 250;
const GONE_MS = 10_000;
const STOPPED_MS = 2000;
const TRACE_BYTES = 64 * 1024 * 1024;
const DETAIL_CHARS = 4000;
/** Of a host's memory, for one guest: a bomb must not take the farm down before its own limit is met. */
const MEMORY_SHARE = 0.8;

/** A guest whose directories are made. */
export interface Prepared {
  readonly id: string;
  readonly runtime: Runtime;
  /** First of the 65536 host ids that are this guest's alone; of a virtual machine the one that it runs as. */
  readonly firstUid: number;
  readonly directory: string;
  readonly sockets: string;
  /** Where gVisor writes what the guest does. */
  readonly traceLog: string | null;
}

/** How a prepared guest is started: what differs from runtime to runtime. */
export interface GuestStart {
  readonly cpuSeconds: number;
  readonly diskBytes: number;
  limits(prepared: Prepared): CgroupLimits;
  /** Arguments of start-guest.sh from the stage's name on. @param cgroupPath as an OCI configuration names it. */
  stage(prepared: Prepared, cgroupPath: string): readonly string[];
  /** Asked with the counters: whether what was seen of the guest can be believed. @throws CreameryError. */
  readonly assertSound?: () => void;
  /** Removes what lies outside of the guest's directories; called once, when it is gone. */
  readonly remove?: () => Promise<void>;
}

interface Running {
  readonly start: GuestStart;
  readonly process: ChildProcess;
  readonly cgroup: GuestCgroup;
  readonly exited: Promise<unknown>;
  detail: string;
  scratch: string | undefined;
  diskPeakBytes: number;
  diskFull: boolean;
}

export interface GuestsOptions {
  readonly session: Session;
  readonly onEnded: (guestId: string, detail: string) => void;
}

/** Starts, watches and ends the guests of one session. */
export class Guests {
  readonly #options: GuestsOptions;
  readonly #prepared = new Map<string, Prepared>();
  readonly #running = new Map<string, Running>();
  readonly #stopping = new Map<string, Promise<Counters | null>>();
  #nextRange = (process.pid * 64) % GUEST_UID_RANGES;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: GuestsOptions) {
    this.#options = options;
  }

  /**
   * Makes the directory in which the farm listens before the guest is started. It belongs to the farm and to the guest root's
   * group, its parent to root: neither can put anything else in its place, and the guest's job user can't enter.
   */
  prepare(guestId: string, runtime: Runtime): { socketDirectory: string; traceLog: string | null } {
    if (this.#prepared.has(guestId))
      throw new CreameryError("launcher", "the guest is prepared already", { input: guestId });
    const { session } = this.#options;
    const firstUid = FIRST_GUEST_UID + (this.#nextRange++ % GUEST_UID_RANGES) * 65536;
    const sockets = join(session.sockets, guestId);
    mkdirSync(sockets);
    chownSync(sockets, FARM_UID, runtime === "gvisor" ? 0 : firstUid);
    // Set-group-id: the sockets made in it are the guest root's group's too.
    chmodSync(sockets, 0o2770);
    const directory = join(session.guests, guestId);
    mkdirSync(directory, { mode: 0o711 });
    const traceLog = runtime === "gvisor" ? join(directory, "trace.log") : null;
    if (traceLog !== null) {
      writeFileSync(traceLog, "", { mode: 0o600 });
      chownSync(traceLog, FARM_UID, FARM_UID);
    }
    this.#prepared.set(guestId, { id: guestId, runtime, firstUid, directory, sockets, traceLog });
    return { socketDirectory: sockets, traceLog };
  }

  /** Starts the runtime and returns at once: that the guest runs is known by its agent's hello. */
  start(guestId: string, start: GuestStart): void {
    const prepared = this.prepared(guestId);
    const { session } = this.#options;
    const { memoryBytes, pids } = start.limits(prepared);
    const cgroup = GuestCgroup.create(session.id, guestId, {
      memoryBytes: Math.min(memoryBytes, Math.floor(totalmem() * MEMORY_SHARE)),
      pids,
    });
    const script = join(import.meta.dirname, "start-guest.sh");
    const stage = start.stage(prepared, cgroup.path);
    const child = spawn(
      "setpriv",
      ["--pdeathsig", "KILL", "sh", script, "enter", cgroup.joinFiles.join(" "), script, ...stage],
      // A runtime's standard output must be a pipe: gVisor loses what is written to a file.
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
        detached: true,
      },
    );
    const running: Running = {
      start,
      process: child,
      cgroup,
      exited: once(child, "close").catch(() => undefined),
      detail: "",
      scratch: undefined,
      diskPeakBytes: 0,
      diskFull: false,
    };
    this.#running.set(guestId, running);
    const keep = (chunk: Buffer) => {
      if (running.detail.length < DETAIL_CHARS)
        running.detail += chunk.toString("utf8").slice(0, DETAIL_CHARS);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.on("error", (error) => keep(Buffer.from(error.message)));
    child.on("close", () => this.#options.onEnded(guestId, running.detail));
    this.#watch ??= setInterval(() => void this.#watchAll(), WATCH_MS).unref();
  }

  /** A guest that is prepared and does not run yet. @throws CreameryError `launcher`. */
  prepared(guestId: string): Prepared {
    const prepared = this.#prepared.get(guestId);
    if (prepared === undefined || this.#running.has(guestId)) {
      throw new CreameryError("launcher", "the guest is not prepared, or runs already", {
        input: guestId,
      });
    }
    return prepared;
  }

  /** Waits for its processes' end. @returns what they said. @throws CreameryError `launcher` for one that was never started. */
  async ended(guestId: string): Promise<string> {
    const running = this.#running.get(guestId);
    if (running === undefined)
      throw new CreameryError("launcher", "no such guest runs", { input: guestId });
    await running.exited;
    return running.detail;
  }

  /** @throws CreameryError `launcher` for one that does not run; what its start's `assertSound` throws. */
  async counters(guestId: string): Promise<Counters> {
    const running = this.#running.get(guestId);
    if (running === undefined)
      throw new CreameryError("launcher", "no such guest runs", { input: guestId });
    running.start.assertSound?.();
    return await this.#count(guestId, running);
  }

  async #count(guestId: string, running: Running): Promise<Counters> {
    await this.#sampleDisk(guestId, running);
    return {
      ...running.cgroup.counters(),
      diskBytes: running.diskPeakBytes,
      diskFull: running.diskFull,
    };
  }

  /** Idempotent. Answers with the last counters, null when it never ran. */
  async stop(guestId: string): Promise<Counters | null> {
    let stopping = this.#stopping.get(guestId);
    if (stopping === undefined) {
      stopping = this.#stop(guestId);
      this.#stopping.set(guestId, stopping);
    }
    return stopping;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#prepared.keys()].map((id) => this.stop(id)));
    clearInterval(this.#watch);
  }

  async #stop(guestId: string): Promise<Counters | null> {
    const prepared = this.#prepared.get(guestId);
    if (prepared === undefined) return null;
    const running = this.#running.get(guestId);
    let counters: Counters | null = null;
    if (running !== undefined) {
      counters = await this.#count(guestId, running);
      running.process.kill("SIGKILL");
      // Whatever outlives it, and holds its pipes open, is in the group.
      await Promise.race([running.exited, sleep(STOPPED_MS)]);
      await running.cgroup.remove(GONE_MS);
      await running.exited;
      await running.start.remove?.();
    }
    this.#running.delete(guestId);
    await rm(prepared.directory, { recursive: true, force: true });
    // The farm may still hold a socket open; the directory entry is all there is to remove.
    rmSync(prepared.sockets, { recursive: true, force: true });
    this.#prepared.delete(guestId);
    return counters;
  }

  async #watchAll(): Promise<void> {
    for (const [id, running] of this.#running) {
      if (running.cgroup.cpuSeconds() > running.start.cpuSeconds) running.process.kill("SIGKILL");
      const prepared = this.#prepared.get(id);
      if (prepared === undefined) continue;
      if (prepared.runtime === "container") await this.#sampleDisk(id, running);
      else if (prepared.traceLog !== null) boundTrace(prepared.traceLog);
    }
  }

  /** A container's root lies on one file system, in a mount namespace of its own that is looked into from outside. */
  async #sampleDisk(guestId: string, running: Running): Promise<void> {
    const prepared = this.#prepared.get(guestId);
    if (prepared?.runtime !== "container" || running.process.pid === undefined) return;
    try {
      if (running.scratch === undefined) {
        const pid = running.process.pid;
        const [child = ""] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
        if (child === "") return;
        running.scratch = `/proc/${child}/root${join(prepared.directory, "scratch")}`;
      }
      const { type, blocks, bfree, bsize } = await statfs(running.scratch);
      // Before it is mounted there is the directory below it.
      if (type !== 0x01021994 || blocks * bsize > running.start.diskBytes + bsize * 2) return;
      const usedBytes = (blocks - bfree) * bsize;
      running.diskPeakBytes = Math.max(running.diskPeakBytes, usedBytes);
      if (bfree * bsize < Math.min(1024 * 1024, running.start.diskBytes / 100))
        running.diskFull = true;
    } catch {
      // The guest is just starting, or gone.
      running.scratch = undefined;
    }
  }
}

function boundTrace(path: string): void {
  try {
    // The runtime appends: what is cut off does not come back as a hole.
    if (statSync(path).size > TRACE_BYTES) truncateSync(path, 0);
  } catch {
    // The guest is being removed.
  }
}
