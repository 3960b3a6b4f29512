const SEPARATOR = 10;
const PADDING = 15;

/** Runs of decimal digits, two in a byte, before them the length in bytes (LEB128). Leading zeros stay. */
export function packDigits(runs: readonly string[]): Buffer {
  const length = runs.reduce((sum, run) => sum + run.length + 1, 0);
  const bytes = Buffer.alloc(Math.ceil(length / 2), (PADDING << 4) | PADDING);
  let place = 0;
  const put = (nibble: number): void => {
    const index = place >> 1;
    const byte = bytes[index] ?? 0;
    bytes[index] = place % 2 === 0 ? (nibble << 4) | (byte & 15) : (byte & 0xf0) | nibble;
    place++;
  };
  for (const run of runs) {
    for (let index = 0; index < run.length; index++) put(run.charCodeAt(index) - 48);
    put(SEPARATOR);
  }
  return Buffer.concat([varint(bytes.length), bytes]);
}

/** The inverse of `packDigits`, with the place after it. @throws RangeError for what it did not write. */
export function unpackDigits(
  bytes: Uint8Array,
  start: number,
): { readonly runs: readonly string[]; readonly end: number } {
  let [place, length, shift] = [start, 0, 0];
  for (;;) {
    const byte = bytes[place++];
    if (byte === undefined || shift > 28) throw new RangeError("the digits have no end");
    length += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte < 0x80) break;
  }
  const end = place + length;
  if (end > bytes.length) throw new RangeError("the digits end too soon");
  const runs: string[] = [];
  let run = "";
  for (; place < end; place++)
    for (const nibble of [(bytes[place] ?? 0) >> 4, (bytes[place] ?? 0) & 15]) {
      if (nibble === SEPARATOR) {
        runs.push(run);
        run = "";
      } else if (nibble < SEPARATOR) run += String(nibble);
    }
  return { runs, end };
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      bytes.push(rest);
      return Buffer.from(bytes);
    }
    bytes.push((rest % 128) | 128);
  }
}
