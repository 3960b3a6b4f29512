import { CreameryError } from "../../base/errors.ts";

/**
 * Frames of the channel between host and guest (docs/channel.md): payload length (4 bytes, big-endian), kind (1 byte),
 * request id (4 bytes, big-endian), payload. Ids are given by the host; 0 is the agent's hello.
 */
export const FRAME_KINDS = {
  message: 1,
  stdout: 2,
  stderr: 3,
  events: 4,
  content: 5,
  end: 6,
} as const;
export type FrameKind = keyof typeof FRAME_KINDS;

export const MAX_PAYLOAD_BYTES = 1 << 20;
const HEADER_BYTES = 9;

export interface Frame {
  readonly kind: FrameKind;
  readonly id: number;
  readonly payload: Buffer;
}

const KIND_BY_CODE: ReadonlyMap<number, FrameKind> = new Map([
  [FRAME_KINDS.message, "message"],
  [FRAME_KINDS.stdout, "stdout"],
  [FRAME_KINDS.stderr, "stderr"],
  [FRAME_KINDS.events, "events"],
  [FRAME_KINDS.content, "content"],
  [FRAME_KINDS.end, "end"],
]);

export function encodeFrame(kind: FrameKind, id: number, payload: Buffer): Buffer {
  if (payload.length > MAX_PAYLOAD_BYTES)
    throw new CreameryError("internal", `a frame of ${payload.length} bytes is too long`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.writeUInt8(FRAME_KINDS[kind], 4);
  frame.writeUInt32BE(id, 5);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames. Never holds more than one frame's bytes and the chunk just pushed. */
export class FrameDecoder {
  #held: Buffer[] = [];
  #heldBytes = 0;
  #wanted = HEADER_BYTES;

  /** Bytes held back because their frame isn't whole yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** @throws CreameryError `channel` for an unknown kind, an empty frame that should say something, or a length beyond the bound, before any of it is kept. */
  push(chunk: Buffer): Frame[] {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wanted) return [];
    const bytes = this.#held.length === 1 ? chunk : Buffer.concat(this.#held);
    const frames: Frame[] = [];
    let at = 0;
    this.#wanted = HEADER_BYTES;
    while (bytes.length - at >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(at);
      const code = bytes.readUInt8(at + 4);
      const kind = KIND_BY_CODE.get(code);
      if (kind === undefined)
        throw new CreameryError("channel", `the guest sent a frame of unknown kind ${code}`);
      if (length > MAX_PAYLOAD_BYTES)
        throw new CreameryError("channel", `the guest announced a frame of ${length} bytes`);
      // Of no use to any request, and each would cost more than the bytes that bounds count.
      if (length === 0 && kind !== "end")
        throw new CreameryError("channel", `the guest sent an empty ${kind} frame`);
      if (bytes.length - at - HEADER_BYTES < length) {
        this.#wanted = HEADER_BYTES + length;
        break;
      }
      const start = at + HEADER_BYTES;
      frames.push({
        kind,
        id: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(start, start + length),
      });
      at = start + length;
    }
    // A copy, so that a few bytes left over don't keep a whole chunk alive.
    this.#held = at === bytes.length ? [] : [at === 0 ? bytes : Buffer.from(bytes.subarray(at))];
    this.#heldBytes = bytes.length - at;
    return frames;
  }
}
