import { JoinedBytes } from "../base/joined-bytes.ts";

export type BodyReading =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "too-large" }
  | { readonly kind: "too-slow" }
  /** The sender has gone, or what came is broken. */
  | { readonly kind: "broken" };

export interface BodyBounds {
  readonly maxBytes: number;
  /** For the whole body. */
  readonly timeoutMs: number;
}

/** A request's body, of which no more is held than the bound, nor waited for longer. Also ends when the request's own signal does. */
export async function readBody(
  request: Request,
  { maxBytes, timeoutMs }: BodyBounds,
): Promise<BodyReading> {
  const announced = request.headers.get("content-length");
  if (announced !== null && Number(announced) > maxBytes) return { kind: "too-large" };
  const { body } = request;
  if (body === null) return { kind: "whole", bytes: Buffer.alloc(0) };
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([request.signal, deadline]);
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  const end = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", end, { once: true });
  const bytes = new JoinedBytes();
  let size = 0;
  try {
    if (signal.aborted) end();
    for (;;) {
      const { done, value } = await reader.read();
      if (deadline.aborted) return { kind: "too-slow" };
      if (signal.aborted) return { kind: "broken" };
      if (done) return { kind: "whole", bytes: bytes.all() };
      size += value.length;
      if (size > maxBytes) {
        end();
        return { kind: "too-large" };
      }
      bytes.add(Buffer.from(value));
    }
  } catch {
    return deadline.aborted ? { kind: "too-slow" } : { kind: "broken" };
  } finally {
    signal.removeEventListener("abort", end);
  }
}
