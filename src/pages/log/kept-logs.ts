import { randomUUID } from "node:crypto";
import { mkdir, open, rm, statfs, type FileHandle } from "node:fs/promises";
import { join } from "node:path";

import type { Bucket } from "../../bucket/bucket.ts";
import { CreameryError } from "../../base/errors.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { MAX_LINE_BYTES } from "./index-log.ts";
import { KeptLog, type Keeping } from "./kept-log.ts";

const MIB = 1024 * 1024;

export interface LogBounds {
  /** Of all logs that are kept unpacked on disk; and no more than a share of what is free there. */
  readonly diskBytes: number;
  readonly freeShare: number;
  /** Of those in memory, each of which is smaller than `smallBytes`. */
  readonly memoryBytes: number;
  readonly smallBytes: number;
  readonly logs: number;
  /** So many are unpacked at a time; of those that are not small so many more wait for that, and no others are begun. */
  readonly reading: number;
  readonly waiting: number;
}

export const LOG_BOUNDS: LogBounds = {
  diskBytes: 1024 * MIB,
  freeShare: 0.1,
  memoryBytes: 64 * MIB,
  smallBytes: MIB,
  logs: 500,
  reading: 2,
  waiting: 50,
};

export interface KeptLogsOptions {
  readonly bucket: Pick<Bucket, "open">;
  /** For unpacked logs, which need not outlive the process; made when it is needed. */
  readonly directory: string;
  readonly bounds?: Partial<LogBounds>;
}

/**
 * Logs of attempts, unpacked once for all who look at them: they are packed as a whole, and seeking in them is dear. Those that
 * were looked at longest ago are given up first.
 */
export class KeptLogs implements AsyncDisposable {
  readonly #bucket: Pick<Bucket, "open">;
  readonly #directory: string;
  readonly #bounds: LogBounds;
  readonly #ends = new AbortController();
  /** In the order in which they were last looked at. */
  readonly #logs = new Map<string, KeptLog>();
  readonly #opening = new Map<string, Promise<KeptLog | null>>();
  /** Room is made for one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor({ bucket, directory, bounds }: KeptLogsOptions) {
    this.#bucket = bucket;
    this.#directory = directory;
    this.#bounds = { ...LOG_BOUNDS, ...bounds };
  }

  /**
   * The log of an attempt, as far as it was read by now: reading it goes on by itself, also where who asked leaves.
   * @returns null where none is kept. @throws CreameryError `bucket`, `deadline` where too many wait to be read.
   */
  async look(id: string): Promise<KeptLog | null> {
    const there = this.#logs.get(id);
    if (there !== undefined) {
      this.#logs.delete(id);
      this.#logs.set(id, there);
      return there;
    }
    const opening = this.#opening.get(id) ?? this.#open(id);
    this.#opening.set(id, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(id);
    }
  }

  /** What is kept of them at present. */
  sizes(): { readonly logs: number; readonly memoryBytes: number; readonly diskBytes: number } {
    return {
      logs: this.#logs.size,
      memoryBytes: this.#bytesOf("memory"),
      diskBytes: this.#bytesOf("file"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ends.abort();
    await Promise.allSettled(this.#opening.values());
    await Promise.all([...this.#logs.values()].map((log) => log.drop()));
    this.#logs.clear();
  }

  async #open(id: string): Promise<KeptLog | null> {
    const blob = await this.#bucket.open(attemptKey(id, "log.txt"));
    if (blob === null) return null;
    const made = this.#turn.then(async () => {
      const log = new KeptLog(blob, await this.#keepingFor(blob.sizeBytes));
      this.#logs.set(id, log);
      return log;
    });
    this.#turn = made.catch(() => undefined);
    const log = await made;
    void this.#read(id, log);
    return log;
  }

  /** What can't be read is asked for anew by who looks next. */
  async #read(id: string, log: KeptLog): Promise<void> {
    const isLarge = log.size.kind !== "memory";
    if (isLarge) await this.#turnToRead();
    await log.read(this.#ends.signal);
    if (isLarge) this.#reading--;
    this.#waiting.shift()?.();
    if (log.isWhole) return;
    if (this.#logs.get(id) === log) this.#logs.delete(id);
    await log.drop();
  }

  async #turnToRead(): Promise<void> {
    while (this.#reading >= this.#bounds.reading)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#reading++;
  }

  async #keepingFor(bytes: number): Promise<Keeping> {
    const { smallBytes, memoryBytes, diskBytes, freeShare, logs, waiting } = this.#bounds;
    await this.#makeRoom(() => this.#logs.size < logs);
    const hasMemory = () => this.#bytesOf("memory") + bytes <= memoryBytes;
    if (bytes <= smallBytes) {
      await this.#makeRoom(hasMemory, "memory");
      // A line that is cut by a byte has a mark that takes two.
      if (hasMemory())
        return {
          kind: "memory",
          bytes: Buffer.alloc(bytes + Math.ceil(bytes / MAX_LINE_BYTES) + 1),
        };
    }
    // They are read also where who asked has left.
    if (this.#waiting.length >= waiting)
      throw new CreameryError("deadline", "too many logs wait to be read at present");
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const { bavail, bsize } = await statfs(this.#directory);
      const most = Math.min(diskBytes, this.#bytesOf("file") + bavail * bsize * freeShare);
      await this.#makeRoom(() => this.#bytesOf("file") + bytes <= most, "file");
      if (this.#bytesOf("file") + bytes > most) return { kind: "nowhere" };
      return { kind: "file", file: await namelessFile(this.#directory) };
    } catch {
      return { kind: "nowhere" };
    }
  }

  /** Gives up logs that were looked at longest ago, until there is room, or none is left but those that are being read. */
  async #makeRoom(isEnough: () => boolean, kind?: Keeping["kind"]): Promise<void> {
    for (const [id, log] of this.#logs) {
      if (isEnough()) return;
      if (!log.isWhole || (kind !== undefined && log.size.kind !== kind)) continue;
      this.#logs.delete(id);
      await log.drop();
    }
  }

  #bytesOf(kind: Keeping["kind"]): number {
    let sum = 0;
    for (const { size } of this.#logs.values()) if (size.kind === kind) sum += size.bytes;
    return sum;
  }
}

/** Nobody else can open it, and it is gone when this process is, however it ends. */
async function namelessFile(directory: string): Promise<FileHandle> {
  const path = join(directory, randomUUID());
  const file = await open(path, "wx+", 0o600);
  try {
    await rm(path, { force: true });
    return file;
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}
