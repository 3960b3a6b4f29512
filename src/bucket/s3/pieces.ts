/** S3 takes parts of 5 MiB to 5 GiB, and 10,000 of them. */
export const PART_BYTES = 8 * 1024 * 1024;
export const MAX_PARTS = 10_000;

/** Chunks of any size as pieces of `PART_BYTES`, the last one smaller; one empty piece where nothing comes. */
export async function* pieces(
  chunks: AsyncIterable<Buffer>,
  pieceBytes: number = PART_BYTES,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  let given = 0;
  for await (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0;) {
      const part = rest.subarray(0, pieceBytes - bytes);
      rest = rest.subarray(part.length);
      held.push(part);
      bytes += part.length;
      if (bytes < pieceBytes) continue;
      given++;
      yield Buffer.concat(held, bytes);
      held = [];
      bytes = 0;
    }
  }
  if (bytes > 0 || given === 0) yield Buffer.concat(held, bytes);
}
