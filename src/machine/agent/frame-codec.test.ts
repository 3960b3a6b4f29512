import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CreameryError } from "../../base/errors.ts";
import {
  encodeFrame,
  FRAME_KINDS,
  FrameDecoder,
  MAX_PAYLOAD_BYTES,
  type FrameKind,
} from "./frame-codec.ts";

const id = fc.nat(0xffff_ffff);
const said = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const speaking = fc.constantFrom<FrameKind>("message", "stdout", "stderr", "events", "content");
const frames = fc.array(
  fc.oneof(
    fc.record({ kind: speaking, id, payload: said }),
    fc.record({ kind: fc.constant("end" as const), id, payload: fc.constant(Buffer.alloc(0)) }),
  ),
  { maxLength: 20 },
);

/** Cuts bytes at the given places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted(
    (left, right) => left - right,
  );
  return [...places, bytes.length].map((end, index) => bytes.subarray(places[index - 1] ?? 0, end));
}

describe("frames", () => {
  it("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(100_000), { maxLength: 30 }), (sent, cuts) => {
        const bytes = Buffer.concat(
          sent.map((frame) => encodeFrame(frame.kind, frame.id, frame.payload)),
        );
        const decoder = new FrameDecoder();
        const received = pieces(bytes, cuts).flatMap((piece) => decoder.push(piece));
        expect(
          received.map((frame) => ({ ...frame, payload: Buffer.from(frame.payload) })),
        ).toEqual(sent);
        expect(decoder.heldBytes).toBe(0);
      }),
    );
  });

  it("made of garbage are frames or a fault of the channel, and nothing piles up", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 20 }), (chunks) => {
        const decoder = new FrameDecoder();
        try {
          for (const chunk of chunks) {
            for (const frame of decoder.push(Buffer.from(chunk)))
              expect(Object.keys(FRAME_KINDS)).toContain(frame.kind);
            expect(decoder.heldBytes).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES + 9 + 2000);
          }
        } catch (error) {
          if (!(error instanceof CreameryError) || error.code !== "channel") throw error;
        }
      }),
    );
  });

  it.each(["message", "stdout", "stderr", "events", "content"] as const)(
    "of %s that say nothing are refused",
    (kind) => {
      const empty = encodeFrame(kind, 7, Buffer.alloc(0));
      expect(() => new FrameDecoder().push(empty)).toThrow(`an empty ${kind} frame`);
    },
  );

  it("that announce more than the bound are refused by their header alone", () => {
    const header = Buffer.alloc(9);
    header.writeUInt32BE(MAX_PAYLOAD_BYTES + 1, 0);
    header.writeUInt8(FRAME_KINDS.stdout, 4);
    expect(() => new FrameDecoder().push(header)).toThrow(/announced a frame of 1048577 bytes/u);
  });
});
