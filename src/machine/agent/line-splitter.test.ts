import { expect, it } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

it("gives whole lines and drops those beyond the bound, however they come", () => {
  const lines: string[] = [];
  const splitter = new LineSplitter(10, (line) => lines.push(line));
  for (const piece of ["ab", "c\nsecond\n", "x".repeat(8), "y".repeat(8), "\nlast\n", "cut"])
    splitter.push(Buffer.from(piece));
  expect(lines).toEqual(["abc", "second", "last"]);
});
