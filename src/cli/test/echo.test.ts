import { expect, test } from "vitest";

import { openEcho } from "./echo.ts";

function echoed(label: string, chunks: readonly string[]): string[] {
  const said: string[] = [];
  using echo = openEcho({ say: (line) => said.push(line) }, label);
  for (const chunk of chunks) echo.write(chunk);
  echo[Symbol.dispose]();
  return said;
}

test("lines are said whole, the last one at the end, each with its label", () => {
  expect(echoed("", ["a", "b\nc\n", "", "d"])).toEqual(["ab", "c", "d"]);
  expect(echoed("six cpython-3.13", ["a\nb"])).toEqual([
    "six cpython-3.13 | a",
    "six cpython-3.13 | b",
  ]);
  expect(echoed("x", ["a\n"])).toEqual(["x | a"]);
});

test("two attempts do not cut into each other's lines", () => {
  const said: string[] = [];
  const [one, two] = ["1", "2"].map((label) => openEcho({ say: (line) => said.push(line) }, label));
  one?.write("be");
  two?.write("in");
  one?.write("gin\n");
  two?.write("side\n");
  expect(said).toEqual(["1 | begin", "2 | inside"]);
});

test("a line is as long as 1,000 characters, and says that there was more", () => {
  const long = "x".repeat(700);
  const [line, next, ...rest] = echoed("", [long, long, long, "\nshort"]);
  expect(line).toBe(`${"x".repeat(999)}…`);
  expect(next).toBe("short");
  expect(rest).toEqual([]);
});
