import type { Socket } from "node:net";

import { z } from "zod";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import { within } from "../../base/within.ts";

/** What QEMU says is bounded like all that comes from where a guest might have got to. */
const LINE_BYTES = 1024 * 1024;
const COMMAND_MS = 10_000;
const EVENTS_KEPT = 100;

const failureSchema = z.object({ class: z.string(), desc: z.string() });
const replySchema = z.object({
  id: z.number(),
  return: z.unknown().optional(),
  error: failureSchema.optional(),
});
const greetingSchema = z.object({ QMP: z.object({ version: z.unknown() }) });
const eventSchema = z.object({
  event: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
});

/** The events that something is done for; whatever else QEMU tells is passed over. */
const knownEventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("MIGRATION"), data: z.object({ status: z.string() }) }),
  z.object({ event: z.literal("STOP") }),
  z.object({ event: z.literal("SHUTDOWN"), data: z.object({ reason: z.string().optional() }) }),
  z.object({
    event: z.literal("BLOCK_IO_ERROR"),
    data: z.object({ nospace: z.boolean().optional(), reason: z.string().optional() }),
  }),
]);
export type QmpEvent = z.infer<typeof knownEventSchema>;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: CreameryError): void;
}

interface Watching {
  readonly wants: (event: QmpEvent) => boolean;
  resolve(event: QmpEvent): void;
  reject(error: CreameryError): void;
}

export interface QmpOptions {
  /** From now to the greeting, ms. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: QmpEvent) => void;
}

/**
 * QEMU's control channel (docs/interop/qmp-spec of QEMU). Every wait has a deadline, and all of them end when the process does.
 */
export class QmpClient {
  readonly #socket: Socket;
  readonly #onEvent: ((event: QmpEvent) => void) | undefined;
  readonly #commands = new Map<number, Waiting>();
  readonly #watching = new Set<Watching>();
  readonly #events: QmpEvent[] = [];
  readonly #greeted = Promise.withResolvers<void>();
  #text = "";
  #nextId = 1;
  #fault: CreameryError | null = null;

  private constructor(socket: Socket, onEvent: ((event: QmpEvent) => void) | undefined) {
    this.#socket = socket;
    this.#onEvent = onEvent;
    this.#greeted.promise.catch(() => undefined);
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => this.#receive(String(chunk)));
    // With something unread at the other end, an end is told as a broken connection.
    socket.on("error", () => this.#lose(gone("the machine's process ended")));
    socket.on("close", () => this.#lose(gone("the machine's process ended")));
  }

  /**
   * Greets a QEMU that has just connected.
   * @throws CreameryError `vm-resume`; the signal's reason.
   */
  static async open(
    socket: Socket,
    { deadlineMs, signal, onEvent }: QmpOptions,
  ): Promise<QmpClient> {
    const client = new QmpClient(socket, onEvent);
    try {
      await client.#within(client.#greeted.promise, deadlineMs, "the greeting", signal);
      await client.command("qmp_capabilities", {}, { deadlineMs, signal });
      return client;
    } catch (thrown) {
      client.close();
      signal.throwIfAborted();
      throw thrown;
    }
  }

  /** Why it is of no use any more, or null while it is. */
  get fault(): CreameryError | null {
    return this.#fault;
  }

  /** @throws CreameryError `vm-resume` when QEMU refuses, says nothing in time, or is gone; the signal's reason. */
  async command(
    execute: string,
    given: Readonly<Record<string, unknown>> = {},
    options: { readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<unknown> {
    if (this.#fault !== null) throw this.#fault;
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#commands.set(id, answer);
    this.#socket.write(`${JSON.stringify({ execute, arguments: given, id })}\n`);
    try {
      return await this.#within(
        answer.promise,
        options.deadlineMs ?? COMMAND_MS,
        execute,
        options.signal,
      );
    } finally {
      this.#commands.delete(id);
    }
  }

  /** The first event that is wanted, of those that came already or will come; each is given once. */
  async event(
    wants: (event: QmpEvent) => boolean,
    options: { readonly deadlineMs: number; readonly signal?: AbortSignal },
  ): Promise<QmpEvent> {
    const at = this.#events.findIndex((event) => wants(event));
    const [already] = at === -1 ? [] : this.#events.splice(at, 1);
    if (already !== undefined) return already;
    if (this.#fault !== null) throw this.#fault;
    const coming = Promise.withResolvers<QmpEvent>();
    const watching = { wants, resolve: coming.resolve, reject: coming.reject };
    this.#watching.add(watching);
    try {
      return await this.#within(coming.promise, options.deadlineMs, "an event", options.signal);
    } finally {
      this.#watching.delete(watching);
    }
  }

  close(): void {
    this.#socket.destroy();
    this.#lose(gone("the machine was ended"));
  }

  async #within<Value>(
    work: Promise<Value>,
    deadlineMs: number,
    what: string,
    signal?: AbortSignal,
  ): Promise<Value> {
    const error = () => gone(`QEMU did not answer in ${deadlineMs} ms (${what})`);
    return await within(work, { deadline: { ms: deadlineMs, error }, signal });
  }

  #receive(chunk: string): void {
    this.#text += chunk;
    const lines = this.#text.split("\n");
    this.#text = lines.pop() ?? "";
    try {
      if (this.#text.length > LINE_BYTES) throw gone("it sent a line without an end");
      for (const line of lines) if (line.trim() !== "") this.#message(JSON.parse(line));
    } catch (thrown) {
      this.#lose(
        thrown instanceof CreameryError
          ? thrown
          : gone(`its control channel is not QEMU's: ${reasonOf(thrown)}`),
      );
      this.#socket.destroy();
    }
  }

  #message(raw: unknown): void {
    const reply = replySchema.safeParse(raw);
    if (reply.success) {
      const { id, error, return: value } = reply.data;
      const waiting = this.#commands.get(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(gone(`QEMU refuses: ${error.desc.slice(0, 300)}`));
      return;
    }
    if (eventSchema.safeParse(raw).success) {
      const known = knownEventSchema.safeParse(raw);
      if (known.success) this.#tell(known.data);
      return;
    }
    if (greetingSchema.safeParse(raw).success) {
      this.#greeted.resolve();
      return;
    }
    throw gone("it said what is no message of QEMU's");
  }

  #tell(event: QmpEvent): void {
    this.#onEvent?.(event);
    for (const watching of this.#watching) {
      if (!watching.wants(event)) continue;
      watching.resolve(event);
      this.#watching.delete(watching);
      return;
    }
    this.#events.push(event);
    if (this.#events.length > EVENTS_KEPT) this.#events.shift();
  }

  #lose(error: CreameryError): void {
    if (this.#fault !== null) return;
    this.#fault = error;
    this.#greeted.reject(error);
    for (const waiting of [...this.#commands.values(), ...this.#watching]) waiting.reject(error);
    this.#commands.clear();
    this.#watching.clear();
  }
}

function gone(reason: string): CreameryError {
  return new CreameryError("vm-resume", reason);
}
