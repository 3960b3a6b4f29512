import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

import { pack, type Header } from "tar-stream";
import { expect, test } from "vitest";

import { temporaryDirectory } from "../../../test/owned.ts";
import { unpackTree } from "./unpack-tree.ts";

const MAX_BYTES = 1024 ** 2;
type Entry = Partial<Header> & { readonly name: string; readonly text?: string };
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const mtime = new Date(1_700_000_000_000);

/** An archive of an image with these entries in its tree. */
async function archive(entries: readonly Entry[], more: Partial<Header> = {}): Promise<Buffer> {
  const tar = pack();
  const whole: readonly Entry[] = [
    { name: "manifest.json", text: "{}" },
    { name: "tree.jsonl", text: "" },
    { name: "rootfs", type: "directory", mode: 0o755 },
    ...entries,
  ];
  for (const { text, ...entry } of whole) {
    const headers = { mtime, mode: 0o644, ...owner, ...entry, ...more };
    if (text === undefined) tar.entry(headers);
    else tar.entry(headers, text);
  }
  tar.finalize();
  return await buffer(tar);
}

async function* inPieces(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function unpacked(content: Buffer, size = 1000, maxBytes = MAX_BYTES): Promise<string> {
  const outer = temporaryDirectory("unpack");
  const into = join(outer, "into");

  mkdirSync(into);
  writeFileSync(join(outer, "outside"), "as it was");
  try {
    await unpackTree(inPieces(content, size), into, maxBytes);
  } finally {
    expect(readdirSync(outer).toSorted()).toEqual(["into", "outside"]);
    expect(readFileSync(join(outer, "outside"), "utf8")).toBe("as it was");
    expect(lstatSync(join(outer, "outside")).nlink).toBe(1);
  }
  return into;
}

const GOOD: readonly Entry[] = [
  { name: "rootfs/closed", type: "directory", mode: 0o500 },
  { name: "rootfs/closed/file", text: "inside", mode: 0o4711 },
  { name: "rootfs/closed/other-name", type: "link", linkname: "rootfs/closed/file" },
  { name: "rootfs/up", type: "symlink", linkname: "../../outside" },
  { name: `rootfs/${"wörd-".repeat(40)}`, text: "a long name" },
];

test.each([1, 511, 512, 513, 100_000])(
  "what is in an archive is unpacked as it says, in pieces of %d bytes",
  async (size) => {
    const into = await unpacked(await archive(GOOD), size);
    const file = lstatSync(join(into, "rootfs/closed/file"));
    expect([file.mode & 0o7777, file.mtimeMs, file.nlink]).toEqual([0o4711, mtime.getTime(), 2]);
    expect(readFileSync(join(into, "rootfs/closed/other-name"), "utf8")).toBe("inside");
    const closed = lstatSync(join(into, "rootfs/closed"));
    expect([closed.mode & 0o7777, closed.mtimeMs]).toEqual([0o500, mtime.getTime()]);
    expect(readlinkSync(join(into, "rootfs/up"))).toBe("../../outside");
    expect(readFileSync(join(into, `rootfs/${"wörd-".repeat(40)}`), "utf8")).toBe("a long name");
  },
);

test.each<[string, string, readonly Entry[]]>([
  ["an absolute path", "leads elsewhere", [{ name: "/etc/evil", text: "x" }]],
  ["a path up", "leads elsewhere", [{ name: "rootfs/../../outside", text: "x" }]],
  ["a path up at once", "leads elsewhere", [{ name: "../outside", text: "x" }]],
  ["a path with a dot", "leads elsewhere", [{ name: "rootfs/./x", text: "x" }]],
  ["a path with an empty part", "leads elsewhere", [{ name: "rootfs//x", text: "x" }]],
  [
    "a name with a zero",
    "a name that is none",
    [{ name: "rootfs/a", pax: { path: "rootfs/a\0b" }, text: "x" }],
  ],
  [
    "a name that is too long",
    "a name that is none",
    [{ name: `rootfs/${"x".repeat(256)}`, text: "x" }],
  ],
  ["what no image has", "that no image has", [{ name: "etc", type: "directory" }]],
  [
    "another file of the kernel",
    "that no image has",
    [
      { name: "boot", type: "directory" },
      { name: "boot/x", text: "" },
    ],
  ],
  [
    "a boot that is a link",
    "that no image has",
    [{ name: "boot", type: "symlink", linkname: "/boot" }],
  ],
  [
    "a tree that is a link",
    "that no image has",
    [{ name: "rootfs", type: "symlink", linkname: "/" }],
  ],
  [
    "a file behind a link",
    "what is no directory of the archive",
    [
      { name: "rootfs/a", type: "symlink", linkname: "../.." },
      { name: "rootfs/a/outside", text: "x" },
    ],
  ],
  [
    "a file over a link",
    "two entries of one name",
    [
      { name: "rootfs/a", type: "symlink", linkname: "../../outside" },
      { name: "rootfs/a", text: "x" },
    ],
  ],
  [
    "a directory over a link",
    "two entries of one name",
    [
      { name: "rootfs/a", type: "symlink", linkname: "../.." },
      { name: "rootfs/a", type: "directory" },
    ],
  ],
  ["a directory twice", "two entries of one name", [{ name: "rootfs", type: "directory" }]],
  [
    "a file behind a file",
    "what is no directory of the archive",
    [
      { name: "rootfs/a", text: "" },
      { name: "rootfs/a/b", text: "x" },
    ],
  ],
  [
    "a file in no directory",
    "what is no directory of the archive",
    [{ name: "rootfs/none/a", text: "x" }],
  ],
  [
    "a hard link out",
    "leads elsewhere",
    [{ name: "rootfs/a", type: "link", linkname: "../outside" }],
  ],
  [
    "a hard link to the host's",
    "leads elsewhere",
    [{ name: "rootfs/a", type: "link", linkname: "/etc/shadow" }],
  ],
  [
    "a hard link to the record",
    "what is no file before it",
    [{ name: "rootfs/a", type: "link", linkname: "tree.jsonl" }],
  ],
  [
    "a hard link to what comes later",
    "what is no file before it",
    [{ name: "rootfs/a", type: "link", linkname: "rootfs/b" }],
  ],
  [
    "a hard link to a link",
    "what is no file before it",
    [
      { name: "rootfs/a", type: "symlink", linkname: "../../outside" },
      { name: "rootfs/b", type: "link", linkname: "rootfs/a" },
    ],
  ],
  [
    "a hard link to a directory",
    "what is no file before it",
    [{ name: "rootfs/b", type: "link", linkname: "rootfs" }],
  ],
  [
    "a device",
    "is a device",
    [{ name: "rootfs/a", type: "block-device", devmajor: 8, devminor: 0 }],
  ],
  [
    "a terminal",
    "is a device",
    [{ name: "rootfs/a", type: "character-device", devmajor: 5, devminor: 0 }],
  ],
  ["a pipe", "is a pipe", [{ name: "rootfs/a", type: "fifo" }]],
  [
    "an attribute",
    "which no image needs",
    [{ name: "rootfs/a", text: "", pax: { "SCHILY.xattr.security.capability": "x" } }],
  ],
  [
    "a sparse bomb",
    "which no image needs",
    [{ name: "rootfs/a", text: "", pax: { "GNU.sparse.realsize": "1099511627776" } }],
  ],
  [
    "a size beyond its content",
    "cut short",
    [{ name: "rootfs/a", text: "x", pax: { size: "999999" } }],
  ],
  ["a record that is no file", "that no image has", [{ name: "manifest.json", type: "directory" }]],
])("%s is refused, and nothing outside is touched", async (_name, reason, entries) => {
  await expect(unpacked(await archive(entries))).rejects.toThrow(reason);
});

test("what is larger than it may be is refused, by content and by entries", async () => {
  const large = await archive([{ name: "rootfs/a", text: "x".repeat(5000) }]);
  await unpacked(large, 1000, large.length);
  await expect(unpacked(large, 1000, large.length - 1)).rejects.toMatchObject({
    code: "bad-archive",
  });
  const many = await archive(
    Array.from({ length: 100 }, (_, index) => ({ name: `rootfs/${index}`, text: "" })),
  );
  await expect(unpacked(many, 1000, 50 * 512)).rejects.toThrow(/larger than/u);
});

test("an archive that is cut short anywhere, or changed in a header, or goes on after its end, is refused", async () => {
  const whole = await archive(GOOD);
  for (let length = 0; length < whole.length - 512; length += 256)
    await expect(unpacked(whole.subarray(0, length), 4096), String(length)).rejects.toMatchObject({
      code: "bad-archive",
    });
  const changed = Buffer.from(whole);
  changed.writeUInt8(0x62, 3 * 512 + 1);
  await expect(unpacked(changed)).rejects.toMatchObject({ code: "bad-archive" });
  await expect(unpacked(Buffer.concat([whole, whole]))).rejects.toThrow(/after its end/u);
  await expect(unpacked(Buffer.alloc(4096, "x"))).rejects.toMatchObject({ code: "bad-archive" });
  await expect(unpacked(Buffer.alloc(10_240))).rejects.toThrow(/no tree/u);
});
