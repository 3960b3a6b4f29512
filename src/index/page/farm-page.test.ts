import { expect, test } from "vitest";

import { parseFarmPage, renderFarmPage } from "./farm-page.ts";
import { samplePage } from "./project-page.sample.ts";
import type { ProjectPage } from "./project-page.ts";

const page: ProjectPage = {
  name: "spam",
  versions: ["1.0"],
  files: [],
  status: "active",
  lastSerial: 7,
  upstream: "https://index.example/simple/",
  stale: false,
  contentSha256: "a".repeat(64),
  raw: { meta: { "api-version": "1.1" }, name: "spam" },
};
const history = {
  schema: 1,
  changes: [{ kind: "status", afterMs: 1, byMs: 2, was: "active", is: "archived" }],
  lostBeforeMs: null,
} as const;

test("a page goes from one host of the farm to another as it is, and what was seen to change in it", () => {
  const parse = (given: ProjectPage) => parseFarmPage(Buffer.from(renderFarmPage(given)), "spam");
  expect(parse(page)).toEqual(page);
  const told = { ...page, history: { ...history, changes: [...history.changes] } };
  expect(parse(told)).toEqual(told);
});

test("a file whose address is too long once it is whole hides none of the others from another host", () => {
  const files = [`${"x".repeat(7980)}/spam-2.0.tar.gz`, "spam-1.0.tar.gz"].map((url) => ({
    filename: url.slice(-15),
    url,
  }));
  const told = parseFarmPage(
    Buffer.from(renderFarmPage(samplePage({ name: "spam", files }))),
    "spam",
  );
  expect(told?.files.map(({ filename }) => filename)).toEqual(["spam-1.0.tar.gz"]);
});

test("a history that can't be read is passed by, and is not shown to clients", () => {
  const told = JSON.stringify({
    ...JSON.parse(renderFarmPage(page)),
    raw: { ...page.raw, _history: { schema: 2 } },
  });
  expect(parseFarmPage(Buffer.from(told), "spam")).toEqual(page);
});
