import { expect, test } from "vitest";

import { isTyped } from "./images.ts";

const typed = (path: string, ...argv: string[]) => isTyped(path, argv, "/home/someone");

test("a lock is read where the command line names it, however it does", () => {
  const path = "/home/someone/locks/a.json";
  for (const word of ["locks/a.json", "./locks/../locks/a.json", path])
    expect(typed(path, "image", "build", "--locked", word), word).toBe(true);
  expect(typed(path, "image", "build", "--locked=locks/a.json")).toBe(true);
});

test("no other path is, whoever asks for it", () => {
  const words = ["image", "build", "--locked", "a.json"];
  for (const path of ["/var/lib/creamery/a.json", "/home/someone/b.json", "/etc/shadow"])
    expect(typed(path, ...words), path).toBe(false);
  // What is to be tested is anybody's.
  expect(typed("/home/someone/a.json", "test", "./a.json")).toBe(false);
  expect(typed("/home/someone/image", ...words)).toBe(false);
});
