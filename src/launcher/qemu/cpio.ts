/** One regular file or directory of an archive. */
export interface CpioEntry {
  readonly path: string;
  /** With the kind of file: `0o100644`, `0o40755`. */
  readonly mode: number;
  readonly content: Buffer;
}

/** A `newc` archive (cpio(5)), as the kernel unpacks it behind another one; owned by root, without times. */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { path: "TRAILER!!!", mode: 0, content: Buffer.alloc(0) }];
  return Buffer.concat(
    all.flatMap(({ path, mode, content }, index) => {
      const name = Buffer.from(`${path}\0`);
      const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
      const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
      const head = Buffer.concat([Buffer.from(header), name]);
      return [head, filler(head.length), content, filler(content.length)];
    }),
  );
}

/** Zeros up to the next multiple of four. */
export function filler(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
