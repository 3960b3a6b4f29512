import { expect, test } from "vitest";

import { JoinedBytes } from "./joined-bytes.ts";

test("pieces of any size come out as they went in", () => {
  const joined = new JoinedBytes();
  const pieces = [1, 0, 70_000, 3, 65_536, 65_535, 2, 200_000, 1].map((size, index) =>
    Buffer.alloc(size, index + 1),
  );
  for (const piece of pieces) joined.add(piece);
  expect(joined.all().equals(Buffer.concat(pieces))).toBe(true);
  expect(new JoinedBytes().all().length).toBe(0);
});

test("a piece is a copy: what becomes of its buffer later is not seen", () => {
  const joined = new JoinedBytes();
  const piece = Buffer.from("said");
  joined.add(piece);
  piece.fill("x");
  expect(joined.all().toString()).toBe("said");
});

test("a flood of tiny pieces is held in few blocks", () => {
  const joined = new JoinedBytes();
  const before = process.memoryUsage().arrayBuffers;
  for (let index = 0; index < 1_000_000; index++) joined.add(Buffer.from("x"));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16_000_000);
  expect(joined.all().length).toBe(1_000_000);
});
