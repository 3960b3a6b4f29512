import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { pack } from "tar-stream";
import { afterAll, expect, test } from "vitest";

import { hashPackedTree } from "./packed-tree.ts";

const directory = mkdtempSync(join(tmpdir(), "creamery-packed-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const signal = new AbortController().signal;

interface Item {
  readonly name: string;
  readonly content: Uint8Array;
  readonly program: boolean;
}

/** Written by another's tar. */
async function tarOf(items: readonly Item[], seconds: number, uid: number): Promise<Buffer> {
  const tar = pack();
  for (const { name, content, program } of items) {
    tar.entry(
      {
        name: `./${name}`,
        mode: (program ? 0o755 : 0o644) & ~(uid & 0o022),
        mtime: new Date(seconds * 1000),
        uid,
        uname: `u${uid}`,
      },
      Buffer.from(content),
    );
  }
  tar.finalize();
  return await buffer(tar);
}

async function hashOf(tar: Buffer): Promise<string> {
  const path = join(directory, "a.tar");
  writeFileSync(path, tar);
  return await hashPackedTree(path, signal);
}

const names = fc
  .array(
    fc.string({
      unit: fc.constantFrom("a", "B", "é", "\n", "=", " ", "長"),
      minLength: 1,
      maxLength: 60,
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  )
  .map((parts) => parts.join("/"));
const trees = fc.uniqueArray(
  fc.record({ name: names, content: fc.uint8Array({ maxLength: 1500 }), program: fc.boolean() }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 6 },
);

test("the hash is of names, contents and executable bits, whatever the order, the times and the owner", async () => {
  await fc.assert(
    fc.asyncProperty(trees, fc.nat(2_000_000_000), fc.nat(60_000), async (items, seconds, uid) => {
      const hash = await hashOf(await tarOf(items, 1, 0));
      expect(await hashOf(await tarOf(items.toReversed(), seconds, uid))).toBe(hash);
    }),
    { numRuns: 60 },
  );
});

test("any change of one file is another hash", async () => {
  await fc.assert(
    fc.asyncProperty(trees, fc.nat(), fc.nat(3), async (items, which, how) => {
      const at = which % items.length;
      const changed = items.flatMap((item, index) => {
        if (index !== at) return [item];
        switch (how) {
          case 0:
            return [];
          case 1:
            return [{ ...item, content: Uint8Array.of(...item.content, 0) }];
          case 2:
            return [{ ...item, program: !item.program }];
          default:
            return [{ ...item, name: `${item.name}x` }];
        }
      });
      expect(await hashOf(await tarOf(changed, 1, 0))).not.toBe(
        await hashOf(await tarOf(items, 1, 0)),
      );
    }),
    { numRuns: 60 },
  );
});

test("one that is cut off anywhere, or is no tar, is a fault and never a hash", async () => {
  const whole = await tarOf(
    [{ name: "é".repeat(80), content: Buffer.alloc(700), program: false }],
    1,
    0,
  );
  const end = whole.length - 1024;
  await fc.assert(
    fc.asyncProperty(fc.nat(end - 1), async (cut) => {
      await expect(hashOf(whole.subarray(0, cut))).rejects.toMatchObject({ code: "internal" });
    }),
    { numRuns: 100 },
  );
  await expect(hashOf(Buffer.alloc(4096, 1))).rejects.toMatchObject({ code: "internal" });
});
