import { expect, test } from "vitest";

import { repositoryUrls } from "./repository-urls.ts";

test("the address of the code is found by its label, the most telling first, each once", () => {
  const projectUrls = [
    ["documentation", "https://docs.example/x"],
    ["homepage", "https://x.example/"],
    ["github", "https://git.example/o/x/"],
    ["source", "https://git.example/o/x/tree/main/packages/x"],
    ["issues", "https://git.example/o/x/issues"],
  ] as const;
  expect(repositoryUrls({ projectUrls, homePage: "http://git.example/o/home" })).toEqual([
    "https://git.example/o/x",
    "https://git.example/o/home",
  ]);
});

test.each([
  ["git+https://git.example/o/x.git", "https://git.example/o/x.git"],
  ["https://git.example/o/x/-/tree/main", "https://git.example/o/x"],
  ["https://git.example/o/x/issues#top", "https://git.example/o/x"],
  ["https://git.example/o/src-tools", "https://git.example/o/src-tools"],
  ["ftp://git.example/o/x", undefined],
  ["https://user:word@git.example/o/x", undefined],
  ["https://git.example", undefined],
  ["no address", undefined],
])("%s is asked for at %s", (written, asked) => {
  expect(repositoryUrls({ projectUrls: [["code", written]], homePage: null })[0]).toBe(asked);
});
