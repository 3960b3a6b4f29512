import { zstdCompressSync, zstdDecompressSync } from "node:zlib";

import { CreameryError } from "../../base/errors.ts";
import { DETAIL_DICTIONARY_1 } from "./detail-dictionary-1.ts";
import { packDigits, unpackDigits } from "./packed-digits.ts";

/** First byte: how the rest is packed. */
const PACKED_1 = 1;
const HASH_BYTES = 32;
const MAX_HASHES = 26;
/** Far more than the bounded fields of a result can come to. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;
const DICTIONARY_1 = Buffer.from(DETAIL_DICTIONARY_1);

// JSON text has no control characters of its own, so these stand for nothing else in it.
const ID = "\u0001";
const HASH = "\u0002";
const DIGITS = "\u0003";
const FIRST_LETTER = 65;

/**
 * What the store keeps of a result besides its columns, in few bytes: of its JSON the SHA-256s as bytes, digits by two in a
 * byte, and what is left, which is much the same in all results, compressed with a dictionary of what they look like.
 * The attempt's own id is left out. A result takes about 220 bytes instead of 2,200.
 *
 * The layout: 1, how many hashes, these, the length of the digits (LEB128), these, the rest.
 */
export function packDetail(id: string, detail: unknown): Buffer {
  const hashes: string[] = [];
  const runs: string[] = [];
  const text = JSON.stringify(detail)
    .replaceAll(/[0-9a-f]{64}/gu, (hash) => {
      const known = hashes.indexOf(hash);
      if (known < 0 && hashes.length === MAX_HASHES) return hash;
      const place = known < 0 ? hashes.push(hash) - 1 : known;
      return HASH + String.fromCharCode(FIRST_LETTER + place);
    })
    .replaceAll(id === "" ? ID : id, ID)
    .replaceAll(/[0-9]+/gu, (run) => {
      runs.push(run);
      return DIGITS;
    });
  return Buffer.concat([
    Buffer.from([PACKED_1, hashes.length]),
    Buffer.from(hashes.join(""), "hex"),
    packDigits(runs),
    zstdCompressSync(Buffer.from(text), { dictionary: DICTIONARY_1 }),
  ]);
}

/** The inverse of `packDetail`. @throws CreameryError `store` for bytes that no version of the farm packed. */
export function unpackDetail(id: string, packed: Uint8Array): unknown {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const [version, count = 0] = bytes;
  if (version !== PACKED_1)
    throw new CreameryError("store", "a result is packed in a way that is not known here", {
      input: id,
      nextStep: "use the newer Creamery that wrote it",
    });
  try {
    const hash = (index: number) =>
      bytes.toString("hex", 2 + index * HASH_BYTES, 2 + (index + 1) * HASH_BYTES);
    const digits = unpackDigits(bytes, 2 + count * HASH_BYTES);
    const text = zstdDecompressSync(bytes.subarray(digits.end), {
      dictionary: DICTIONARY_1,
      maxOutputLength: MAX_TEXT_BYTES,
    }).toString();
    let next = 0;
    const whole = text
      .replaceAll(DIGITS, () => digits.runs[next++] ?? "")
      .replaceAll(ID, id)
      .replaceAll(new RegExp(`${HASH}([A-Z])`, "gu"), (_, letter: string) =>
        hash(letter.charCodeAt(0) - FIRST_LETTER),
      );
    const parsed: unknown = JSON.parse(whole);
    return parsed;
  } catch (cause) {
    throw new CreameryError("store", "a result's detail is damaged", {
      input: id,
      nextStep: "check the store with `./creamery store check`",
      cause,
    });
  }
}
