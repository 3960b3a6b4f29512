import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";

import type { RefusedConnection } from "../machine.ts";

/** What gVisor saw of the guest's system calls from outside of its reach. */
export interface TraceEvidence {
  readonly connections: readonly RefusedConnection[];
  /** Processes or threads that were refused for the limit on their number (EAGAIN). */
  readonly processesRefused: number;
}

const CONNECT =
  / X connect\(.{0,80}\{Family: AF_INET6?, Addr: ([0-9a-fA-F:.]{2,45}), Port: (\d{1,5})\}/u;
const REFUSED_PROCESS = / X (?:clone|clone3|fork|vfork)\(.{0,200}errno=11 /u;
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/u;
const MAX_TARGETS = 200;
const MAX_LINES = 2_000_000;

/** Reads lines of gVisor's log of system calls; anything else in it is passed over. */
export class TraceReader {
  readonly #targets = new Map<string, number>();
  #processesRefused = 0;

  line(text: string): void {
    if (REFUSED_PROCESS.test(text)) {
      this.#processesRefused++;
      return;
    }
    const [, address, port] = CONNECT.exec(text) ?? [];
    // The guest's own loopback is open to it: the relay to the index, and whatever a test serves to itself.
    if (address === undefined || port === undefined || LOOPBACK.test(address)) return;
    const target = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    const seen = this.#targets.get(target);
    if (seen !== undefined || this.#targets.size < MAX_TARGETS)
      this.#targets.set(target, (seen ?? 0) + 1);
  }

  get evidence(): TraceEvidence {
    const connections = [...this.#targets].map(([target, count]) => ({
      target,
      kind: "connect" as const,
      count,
    }));
    return { connections, processesRefused: this.#processesRefused };
  }
}

/** @throws Error of the file system; the launcher bounds the file's size, this its lines. */
export async function readTraceLog(path: string): Promise<TraceEvidence> {
  const reader = new TraceReader();
  let count = 0;
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Infinity,
  })) {
    if (++count > MAX_LINES) break;
    reader.line(line.slice(0, 1000));
  }
  return reader.evidence;
}
