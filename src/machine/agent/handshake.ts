import { timingSafeEqual } from "node:crypto";
import type { Server, Socket } from "node:net";

import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { within } from "../../base/within.ts";
import { helloSchema, parseMessage, PROTOCOL_VERSION } from "./agent-messages.ts";
import { FrameDecoder, type Frame } from "./frame-codec.ts";

/** The first who connects. @throws the signal's reason. */
export async function firstConnection(server: Server, signal: AbortSignal): Promise<Socket> {
  const connection = Promise.withResolvers<Socket>();
  server.once("connection", connection.resolve);
  try {
    const socket = await within(connection.promise, { signal });
    // Whoever listens for errors changes over the link's life; an error that nobody listens for would end the process.
    return socket.on("error", () => {});
  } finally {
    server.off("connection", connection.resolve);
  }
}

/**
 * The first message of a guest, after which there must be nothing: the agent speaks only when spoken to.
 * @throws CreameryError `channel` for anything else, `agent-lost` when the guest goes or `signal` is aborted.
 */
export async function readFirstMessage<Schema extends z.ZodType>(
  socket: Socket,
  schema: Schema,
  signal: AbortSignal,
): Promise<{ message: z.infer<Schema>; decoder: FrameDecoder }> {
  const decoder = new FrameDecoder();
  const first = Promise.withResolvers<Frame>();
  const refuse = (reason: string) => first.reject(new CreameryError("agent-lost", reason));
  const onData = (chunk: Buffer) => {
    try {
      const frames = decoder.push(chunk);
      const [frame] = frames;
      if (frame === undefined) return;
      if (
        frames.length > 1 ||
        decoder.heldBytes > 0 ||
        frame.kind !== "message" ||
        frame.id !== 0
      ) {
        throw new CreameryError("channel", "the guest did not begin with a hello");
      }
      first.resolve(frame);
    } catch (error) {
      first.reject(error);
    }
  };
  const onClose = () => refuse("the guest closed its channel before the hello");
  const onError = (error: Error) => refuse(`the channel broke: ${error.message}`);
  const onAbort = () => refuse("no hello in time");
  socket.on("data", onData).on("close", onClose).on("error", onError);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const frame = await first.promise;
    return { message: parseMessage(frame.payload, schema), decoder };
  } finally {
    socket.off("data", onData).off("close", onClose).off("error", onError);
    signal.removeEventListener("abort", onAbort);
  }
}

/** The hello of the one guest that was given this nonce. @throws CreameryError `channel`, `agent-lost`. */
export async function readHello(
  socket: Socket,
  nonce: string,
  signal: AbortSignal,
): Promise<{ agentVersion: string; decoder: FrameDecoder }> {
  const { message: hello, decoder } = await readFirstMessage(socket, helloSchema, signal);
  if (hello.protocol !== PROTOCOL_VERSION) {
    throw new CreameryError(
      "channel",
      `the agent speaks protocol ${hello.protocol}, this host ${PROTOCOL_VERSION}`,
    );
  }
  if (!sameSecret(hello.nonce, nonce))
    throw new CreameryError("channel", "the hello has the wrong nonce");
  return { agentVersion: hello.agent, decoder };
}

function sameSecret(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
