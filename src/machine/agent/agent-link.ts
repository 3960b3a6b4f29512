import { once } from "node:events";
import type { Server, Socket } from "node:net";
import { constants } from "node:os";
import { CreameryError, reasonOf } from "../../base/errors.ts";
import { JoinedBytes } from "../../base/joined-bytes.ts";
import { within } from "../../base/within.ts";
import type {
  ExecRequest,
  ExecResult,
  ExecSinks,
  FileSystemDifference,
  MarkScope,
  RefusedConnection,
} from "../machine.ts";
import {
  parseReply,
  type AgentRequest,
  type GuestCounts,
  type ProcessLimits,
  type Reply,
} from "./agent-messages.ts";
import { encodeFrame, type Frame, type FrameDecoder } from "./frame-codec.ts";
import { firstConnection, readHello } from "./handshake.ts";
import { LineSplitter } from "./line-splitter.ts";

export interface FileSystemState {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly freeBlocks: number;
}

const EVENT_LINE_BYTES = 64 * 1024;
const EVENT_TOTAL_BYTES = 256 * 1024 * 1024;
/** Of frames for requests that are over: a moment's worth is natural after an abort, a flood is not. */
const STRAY_BYTES = 64 * 1024 * 1024;
const PUT_PIECE_BYTES = 256 * 1024;
/** From the limit's hit to `ended`: stacks, TERM, KILL and what is left in the pipes. */
const ENDING_MS = 60_000;
const FILE_MS = 300_000;
const WALK_MS = 60_000;

export interface AcceptOptions {
  /** Listens already, on the Unix socket that the guest sees as /run/creamery/agent.sock; or who has connected to it. */
  readonly guest: Server | Promise<Socket>;
  /** Lower-case hexadecimal, given to this one guest's init. */
  readonly nonce: string;
  /** From now to the hello, ms. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly limits?: ProcessLimits;
  /** What a copied guest is told before it says its hello: it waits in the channel for the guest to go on. */
  readonly adoption?: Buffer;
}

interface Pending {
  /** Returns true when the request is over. Throws CreameryError `channel` when the agent breaks the protocol. */
  frame(frame: Frame): boolean;
  fail(error: unknown): void;
}

/** The host's end of the channel to one guest's agent. All that comes through it is hostile input. */
export class AgentLink implements AsyncDisposable {
  readonly agentVersion: string;
  readonly #socket: Socket;
  readonly #limits: ProcessLimits;
  readonly #decoder: FrameDecoder;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #strayBytes = 0;
  #fault: CreameryError | null = null;
  #lastExec: Promise<void> = Promise.resolve();

  private constructor(
    socket: Socket,
    decoder: FrameDecoder,
    agentVersion: string,
    limits: ProcessLimits,
  ) {
    this.#socket = socket;
    this.#decoder = decoder;
    this.agentVersion = agentVersion;
    this.#limits = limits;
    if (socket.destroyed)
      this.#lose(new CreameryError("agent-lost", "the guest closed its channel"));
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) =>
      this.#lose(new CreameryError("agent-lost", `the channel broke: ${error.message}`)),
    );
    socket.on("close", () =>
      this.#lose(new CreameryError("agent-lost", "the guest closed its channel")),
    );
  }

  /**
   * Waits for the guest's one connection and its hello.
   * @throws CreameryError `agent-lost` when none comes in time, `channel` when it is not this guest's agent.
   */
  static async accept(options: AcceptOptions): Promise<AgentLink> {
    const { guest, nonce, deadlineMs, signal } = options;
    const deadline = AbortSignal.timeout(deadlineMs);
    const ending = AbortSignal.any([signal, deadline]);
    let socket: Socket | undefined;
    try {
      socket = await (guest instanceof Promise ? guest : firstConnection(guest, ending));
      const greeted = readHello(socket, nonce, ending);
      greeted.catch(() => undefined);
      if (options.adoption !== undefined) socket.write(encodeFrame("message", 0, options.adoption));
      const { agentVersion, decoder } = await greeted;
      return new AgentLink(socket, decoder, agentVersion, options.limits ?? { coreBytes: 0 });
    } catch (error) {
      socket?.destroy();
      signal.throwIfAborted();
      if (deadline.aborted) {
        throw new CreameryError("agent-lost", `no hello from the guest in ${deadlineMs} ms`, {
          cause: error,
        });
      }
      throw error;
    }
  }

  /** Why the link is of no use any more, or null while it is. */
  get fault(): CreameryError | null {
    return this.#fault;
  }

  /**
   * Runs a program and streams what it says. One at a time: when one ends, all processes of the job's user are killed.
   * @throws CreameryError `agent-lost`, `channel`; `signal`'s reason when it is aborted (the program is killed).
   */
  async exec(request: ExecRequest, sinks: ExecSinks, signal: AbortSignal): Promise<ExecResult> {
    const before = this.#lastExec;
    const over = Promise.withResolvers<void>();
    this.#lastExec = over.promise;
    await before;
    try {
      signal.throwIfAborted();
      this.#assertUsable();
    } catch (error) {
      over.resolve();
      throw error;
    }
    const id = this.#nextId++;
    let outputBytes = 0;
    let eventBytes = 0;
    const lines = new LineSplitter(EVENT_LINE_BYTES, (line) => sinks.event?.(line));
    const { env, ...rest } = request;
    const result = Promise.withResolvers<ExecResult>();
    let told = false;
    this.#pending.set(id, {
      fail: (error) => {
        over.resolve();
        result.reject(error);
      },
      frame: (frame) => {
        switch (frame.kind) {
          case "stdout":
          case "stderr":
            outputBytes += frame.payload.length;
            if (outputBytes > request.outputBytes)
              throw new CreameryError("channel", "the agent passed the bound on output");
            if (!told) sinks.output(frame.kind, frame.payload);
            return false;
          case "events":
            eventBytes += frame.payload.length;
            if (eventBytes > EVENT_TOTAL_BYTES)
              throw new CreameryError("channel", "the agent passed the bound on events");
            if (!told) lines.push(frame.payload);
            return false;
          case "message": {
            const reply = parseReply(frame.payload);
            over.resolve();
            if (reply.op === "ended") result.resolve(execResult(reply));
            else result.reject(unexpected(reply));
            return true;
          }
          case "content":
          case "end":
            throw new CreameryError("channel", `a ${frame.kind} frame answers no exec`);
        }
      },
    });
    this.#send(id, { op: "exec", ...rest, env, rlimits: this.#limits });
    try {
      return await this.#bounded(result.promise, request.wallMs + ENDING_MS, signal, () => {
        told = true;
        this.#send(id, { op: "kill" });
      });
    } finally {
      told = true;
    }
  }

  /** Writes a file, whole or not at all; parents are made. Links in the path are refused. @throws CreameryError */
  async put(
    path: string,
    content: Buffer | AsyncIterable<Buffer>,
    options: { mode: number; owner: "root" | "job" },
    signal: AbortSignal = NEVER,
  ): Promise<void> {
    const { id, reply } = this.#ask({ op: "put", path, ...options });
    const answered = reply.then(
      () => true,
      () => true,
    );
    const send = async () => {
      for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
        for (let at = 0; at < chunk.length; at += PUT_PIECE_BYTES) {
          if (this.#fault !== null) return;
          const flushed = this.#socket.write(
            encodeFrame("content", id, chunk.subarray(at, at + PUT_PIECE_BYTES)),
          );
          // An agent that refuses answers before it has read all: no use in going on.
          if (!flushed && (await Promise.race([answered, this.#drained()]))) return;
        }
      }
      if (this.#fault === null) this.#socket.write(encodeFrame("end", id, Buffer.alloc(0)));
    };
    const both = Promise.all([send(), reply]).then(([, answer]) => answer);
    const answer = await this.#bounded(both, FILE_MS, signal, () => this.#pending.delete(id));
    if (answer.op !== "done") throw unexpected(answer, path);
  }

  /** At most `maxBytes` of a regular file; null when there is none (a link or a device is none). @throws CreameryError */
  async get(path: string, maxBytes: number, signal: AbortSignal = NEVER): Promise<Buffer | null> {
    const pieces = new JoinedBytes();
    let bytes = 0;
    const { id, reply } = this.#ask({ op: "get", path, maxBytes }, (piece) => {
      bytes += piece.length;
      if (bytes > maxBytes)
        throw new CreameryError("channel", "the agent sent more of a file than was asked for");
      pieces.add(piece);
    });
    const answer = await this.#bounded(reply, FILE_MS, signal, () => this.#pending.delete(id));
    if (answer.op !== "done") throw unexpected(answer, path);
    return answer.exists === true ? pieces.all() : null;
  }

  async mark(name: string, scope: MarkScope = "everything"): Promise<void> {
    const { reply } = this.#ask({ op: "mark", name, scope });
    const answer = await this.#bounded(reply, WALK_MS, NEVER);
    if (answer.op !== "done") throw unexpected(answer, name);
  }

  async difference(sinceMark: string): Promise<FileSystemDifference> {
    const answer = await this.#bounded(
      this.#ask({ op: "difference", name: sinceMark }).reply,
      WALK_MS,
      NEVER,
    );
    if (answer.op !== "difference") throw unexpected(answer, sinceMark);
    const { added, changed, removed, truncated } = answer;
    return { added, changed, removed, truncated };
  }

  /** How full the file systems are that hold these paths, in their order. */
  async filesystems(paths: readonly string[]): Promise<readonly FileSystemState[]> {
    const answer = await this.#bounded(this.#ask({ op: "disk", paths }).reply, WALK_MS, NEVER);
    if (answer.op !== "disk") throw unexpected(answer);
    return answer.filesystems.map(([blockBytes, blocks, freeBlocks]) => ({
      blockBytes,
      blocks,
      freeBlocks,
    }));
  }

  /** What the guest's own kernel counted: a virtual machine's only. @throws CreameryError */
  async counters(): Promise<GuestCounts> {
    const answer = await this.#bounded(this.#ask({ op: "counters" }).reply, WALK_MS, NEVER);
    if (answer.op !== "counters") throw unexpected(answer);
    const { op: _, ...counts } = answer;
    return counts;
  }

  /** Names that were looked up in the guest. */
  async refusedConnections(): Promise<readonly RefusedConnection[]> {
    const answer = await this.#bounded(this.#ask({ op: "refused" }).reply, WALK_MS, NEVER);
    if (answer.op !== "refused") throw unexpected(answer);
    return answer.connections;
  }

  /** Gives the guest up, for a reason that is known from elsewhere. */
  abandon(error: CreameryError): void {
    this.#lose(error);
    this.#socket.destroy();
  }

  /** Tells the agent to end (with it, as PID 1, the whole guest) and closes the channel. Idempotent. */
  stop(): Promise<void> {
    if (this.#fault === null) {
      this.#send(this.#nextId++, { op: "stop" });
      this.#socket.end();
      this.#lose(new CreameryError("agent-lost", "the guest was stopped"));
    }
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #assertUsable(): void {
    if (this.#fault !== null) throw this.#fault;
  }

  #send(id: number, request: AgentRequest): void {
    if (this.#fault === null)
      this.#socket.write(encodeFrame("message", id, Buffer.from(JSON.stringify(request))));
  }

  /** Resolves false when the socket takes more, or is gone. */
  async #drained(): Promise<false> {
    const gone = new AbortController();
    try {
      await Promise.race([
        once(this.#socket, "drain", { signal: gone.signal }),
        once(this.#socket, "close", { signal: gone.signal }),
      ]);
    } catch {
      // The link's own handlers say why.
    } finally {
      gone.abort();
    }
    return false;
  }

  /** A request with one message for an answer. */
  #ask(
    request: AgentRequest,
    content?: (piece: Buffer) => void,
  ): { id: number; reply: Promise<Reply> } {
    this.#assertUsable();
    const id = this.#nextId++;
    const answer = Promise.withResolvers<Reply>();
    // Whoever awaits it sees the fault; nobody awaiting it any more is no fault.
    answer.promise.catch(() => {});
    this.#pending.set(id, {
      fail: answer.reject,
      frame: (frame) => {
        if (frame.kind === "message") {
          answer.resolve(parseReply(frame.payload));
          return true;
        }
        if (frame.kind !== "content" || content === undefined) {
          throw new CreameryError("channel", `a ${frame.kind} frame answers no ${request.op}`);
        }
        content(frame.payload);
        return false;
      },
    });
    this.#send(id, request);
    return { id, reply: answer.promise };
  }

  async #bounded<Value>(
    work: Promise<Value>,
    deadlineMs: number,
    signal: AbortSignal,
    onAbort?: () => void,
  ): Promise<Value> {
    const error = () => {
      const late = new CreameryError("agent-lost", `no answer from the guest in ${deadlineMs} ms`);
      this.abandon(late);
      return late;
    };
    return await within(work, { deadline: { ms: deadlineMs, error }, signal, onAbort });
  }

  #receive(chunk: Buffer): void {
    if (this.#fault !== null) return;
    try {
      for (const frame of this.#decoder.push(chunk)) this.#dispatch(frame);
    } catch (error) {
      const fault =
        error instanceof CreameryError
          ? error
          : new CreameryError("channel", reasonOf(error), { cause: error });
      this.#lose(fault);
      this.#socket.destroy();
    }
  }

  #dispatch(frame: Frame): void {
    const pending = this.#pending.get(frame.id);
    if (pending !== undefined) {
      if (pending.frame(frame)) this.#pending.delete(frame.id);
      return;
    }
    this.#strayBytes += frame.payload.length + 9;
    if (frame.id >= this.#nextId || frame.id === 0) {
      throw new CreameryError("channel", "the guest answered what was never asked");
    }
    if (this.#strayBytes > STRAY_BYTES)
      throw new CreameryError("channel", "the guest floods the channel");
  }

  #lose(error: CreameryError): void {
    if (this.#fault !== null) return;
    this.#fault = error;
    for (const pending of this.#pending.values()) pending.fail(error);
    this.#pending.clear();
  }
}

const NEVER = new AbortController().signal;

/** Of several names for one number (SIGABRT, SIGIOT) the first, which is the usual one. */
const SIGNAL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name]),
);

function execResult(reply: Extract<Reply, { op: "ended" }>): ExecResult {
  return {
    code: reply.code,
    signal:
      reply.signal === null ? null : (SIGNAL_NAMES.get(reply.signal) ?? `signal ${reply.signal}`),
    limit: reply.limit,
    seconds: reply.seconds,
    outputBytes: reply.outputBytes,
  };
}

function unexpected(reply: Reply, input?: string): CreameryError {
  const details = input === undefined ? {} : { input };
  return reply.op === "failed"
    ? new CreameryError("channel", `the guest's agent could not do it: ${reply.reason}`, details)
    : new CreameryError("channel", `the guest answered with ${reply.op}`, details);
}
