import { open } from "node:fs/promises";
import { inflateRaw } from "node:zlib";
import { promisify } from "node:util";

/** METADATA out of a wheel without the wheel's other bytes: a zip's directory stands at its end (APPNOTE 4.3). */

/** Bytes from `start` up to, not with, `end`. */
export type ReadRange = (start: number, end: number) => Promise<Buffer>;

const END_BYTES = 22 + 0xffff;
const MAX_DIRECTORY_BYTES = 32 << 20;
const MAX_METADATA_BYTES = 8 << 20;

/**
 * @param tail the file's last bytes, if they are here already.
 * @returns null when this is no zip that we read (zip64, encrypted), or holds not exactly one METADATA at its place.
 */
export async function metadataOfWheel(
  sizeBytes: number,
  read: ReadRange,
  tail?: Buffer,
): Promise<Buffer | null> {
  const end = tail ?? (await read(Math.max(0, sizeBytes - END_BYTES), sizeBytes));
  const endAt = sizeBytes - end.length;
  const record = end.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (record < 0 || record + 22 > end.length) return null;
  const directorySize = end.readUInt32LE(record + 12);
  const directoryAt = end.readUInt32LE(record + 16);
  if (
    directoryAt === 0xffffffff ||
    directorySize > MAX_DIRECTORY_BYTES ||
    directoryAt + directorySize > sizeBytes
  )
    return null;
  const inTail = directoryAt - endAt;
  const directory =
    inTail >= 0
      ? end.subarray(inTail, inTail + directorySize)
      : await read(directoryAt, directoryAt + directorySize);

  const found = [];
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === 0x02014b50;) {
    const nameLength = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + 46, at + 46 + nameLength);
    if (/^[^/]+\.dist-info\/METADATA$/u.test(name)) {
      found.push({
        flags: directory.readUInt16LE(at + 8),
        method: directory.readUInt16LE(at + 10),
        packed: directory.readUInt32LE(at + 20),
        size: directory.readUInt32LE(at + 24),
        at: directory.readUInt32LE(at + 42),
      });
    }
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  const [entry, second] = found;
  if (entry === undefined || second !== undefined || (entry.flags & 1) === 1) return null;
  if (
    entry.packed > MAX_METADATA_BYTES ||
    entry.size > MAX_METADATA_BYTES ||
    entry.at + 30 > sizeBytes
  )
    return null;

  // The local header's own name and extra field may be of other lengths than the directory's.
  const guess = Math.min(sizeBytes, entry.at + 30 + 512 + entry.packed);
  const local = await read(entry.at, guess);
  if (local.length < 30 || local.readUInt32LE(0) !== 0x04034b50) return null;
  const dataAt = 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  const packed =
    dataAt + entry.packed <= local.length
      ? local.subarray(dataAt, dataAt + entry.packed)
      : await read(entry.at + dataAt, Math.min(sizeBytes, entry.at + dataAt + entry.packed));
  if (packed.length !== entry.packed) return null;
  switch (entry.method) {
    case 0:
      return Buffer.from(packed);
    case 8:
      return promisify(inflateRaw)(packed, { maxOutputLength: MAX_METADATA_BYTES }).catch(
        () => null,
      );
    default:
      return null;
  }
}

/** METADATA of a wheel on disk. */
export async function metadataOfWheelFile(path: string): Promise<Buffer | null> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    return await metadataOfWheel(size, async (start, end) => {
      const buffer = Buffer.alloc(Math.max(0, end - start));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      return buffer.subarray(0, bytesRead);
    });
  } finally {
    await file.close();
  }
}
