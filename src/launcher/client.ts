import { rm } from "node:fs/promises";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { errorOf } from "./fault.ts";
import {
  fromLauncherSchema,
  replySchemas,
  type LauncherReply,
  type LauncherRequest,
} from "./protocol.ts";

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** Until the answer, ms; by default what the kind of request needs. */
  readonly deadlineMs?: number;
  readonly onProgress?: (event: unknown) => void;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  onProgress: ((event: unknown) => void) | undefined;
}

const DEADLINE_MS = 30_000;
const FILE_MS = 310_000;
/** Where the ordinary deadline is too short; a build's own steps have theirs. */
const DEADLINES_MS: Partial<Record<LauncherRequest["kind"], number>> = {
  "build-image": 7_200_000,
  "rebuild-image": 7_200_000,
  "verify-image": 1_200_000,
  "export-image": 3_600_000,
  "pack-image": 3_600_000,
  // A build that runs is waited for.
  "import-image": 7_200_000,
  // A disk of the image may have to be made, and another command's snapshot be waited for.
  "begin-snapshot": 3_600_000,
  "keep-snapshot": FILE_MS,
  "remove-snapshot": FILE_MS,
  // A build that runs is waited for.
  "remove-image": 7_200_000,
  "pack-tree": FILE_MS,
  "read-user-file": FILE_MS,
  "read-user-text": FILE_MS,
  "write-user-file": FILE_MS,
  "begin-user-tree": FILE_MS,
  "add-to-user-tree": FILE_MS,
  "end-user-tree": FILE_MS,
};

/** The unprivileged end of the channel to the launcher: one for a process (`launcher()`). */
export class LauncherClient {
  /** `<run>/<session>`, where the launcher keeps what belongs to this command. */
  readonly sessionDirectory: string;
  readonly #pending = new Map<number, Pending>();
  readonly #ended = new Map<string, (detail: string) => void>();
  readonly #send: (message: object) => void;
  readonly #onAsking: (asking: boolean) => void;
  #nextId = 1;

  /** @param onAsking told whether anything is asked and not answered yet. */
  constructor(
    sessionDirectory: string,
    send: (message: object) => void,
    onAsking: (asking: boolean) => void = () => undefined,
  ) {
    this.sessionDirectory = sessionDirectory;
    this.#send = send;
    this.#onAsking = onAsking;
  }

  /** A file of this name in the exchange directory is what file requests read and write. */
  exchangePath(name: string): string {
    return join(this.sessionDirectory, "exchange", name);
  }

  /**
   * Asks, and waits for the answer.
   * @throws CreameryError as the launcher says, `deadline`, or `signal`'s reason.
   */
  async request<Kind extends LauncherRequest["kind"]>(
    request: Extract<LauncherRequest, { kind: Kind }>,
    options?: RequestOptions,
  ): Promise<LauncherReply<Kind>>;
  async request(request: LauncherRequest, options: RequestOptions = {}): Promise<unknown> {
    const { signal, onProgress } = options;
    const deadlineMs = options.deadlineMs ?? DEADLINES_MS[request.kind] ?? DEADLINE_MS;
    signal?.throwIfAborted();
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.#pending.set(id, { resolve: answer.resolve, reject: answer.reject, onProgress });
    this.#onAsking(this.#pending.size > 0);
    const abort = () => this.#send({ id, abort: true });
    signal?.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => {
      abort();
      answer.reject(
        new CreameryError(
          "deadline",
          `the launcher did not answer ${request.kind} in ${deadlineMs} ms`,
        ),
      );
    }, deadlineMs);
    try {
      this.#send({ id, request });
      const value = await answer.promise;
      return replySchemas[request.kind].parse(value);
    } catch (thrown) {
      // An aborted request is answered once what it left is removed; who aborted wants to hear his own reason.
      signal?.throwIfAborted();
      throw thrown;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#pending.delete(id);
      this.#onAsking(this.#pending.size > 0);
    }
  }

  /** Calls back once when the guest's runtime ends, with what it said last. */
  onGuestEnded(guestId: string, callback: (detail: string) => void): void {
    this.#ended.set(guestId, callback);
  }

  forgetGuest(guestId: string): void {
    this.#ended.delete(guestId);
  }

  /** Removes a file from the exchange directory. */
  async discard(name: string): Promise<void> {
    await rm(this.exchangePath(name), { force: true });
  }

  receive(raw: unknown): void {
    const message = fromLauncherSchema.parse(raw);
    if ("ended" in message) {
      this.#ended.get(message.ended)?.(message.detail);
      this.#ended.delete(message.ended);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    if ("progress" in message) pending.onProgress?.(message.progress);
    else if ("error" in message) pending.reject(errorOf(message.error));
    else pending.resolve(message.value);
  }

  lose(): void {
    for (const pending of this.#pending.values())
      pending.reject(new CreameryError("launcher", "the launcher is gone"));
    this.#pending.clear();
  }
}

let client: LauncherClient | undefined;

/** This process's launcher. @throws CreameryError `launcher` when it was not started by one. */
export function launcher(): LauncherClient {
  if (client !== undefined) return client;
  const session = process.env["CREAMERY_SESSION_DIR"];
  if (process.send === undefined || session === undefined) {
    throw new CreameryError("launcher", "this process was not started by the launcher", {
      nextStep: "run ./creamery",
    });
  }
  const send = (message: object) => {
    if (process.connected) process.send?.(message);
    else made.lose();
  };
  // The channel keeps the process alive only while something is asked.
  const made = new LauncherClient(session, send, (asking) => {
    if (asking) process.channel?.ref();
    else process.channel?.unref();
  });
  process.on("message", (raw) => made.receive(raw));
  process.on("disconnect", () => made.lose());
  process.channel?.unref();
  client = made;
  return made;
}
