import { expect, test } from "vitest";
import { z } from "zod";

import { PAGE_TYPE, rowOf, sendsFile, sendsPage } from "../../../test/upstream/bad-upstream.ts";
import {
  content,
  expectUnpoisoned,
  FILE,
  HONEST,
  json,
  other,
  pageOf,
  row,
  sha,
  trying,
} from "./bad-upstreams.sample.ts";

const NAMES = [
  "../spam-1.0.tar.gz",
  "..\\spam-1.0.tar.gz",
  "a/b-1.0.tar.gz",
  ".hidden-1.0.tar.gz",
  "..",
  "",
  "spam-1.0.tar.gz\r\nSet-Cookie: a=b",
  "spam-1.0.tar.gz\u0000.whl",
  "sp\u0430m-1.0.tar.gz",
  "spam-1.0.tar.gz?x=/../..",
  "%2e%2e%2fspam-1.0.tar.gz",
  `${"x".repeat(300)}-1.0.tar.gz`,
  '"><script>alert(1)</script>.whl',
];

test("files with names that can be none are on no page and at no address, and the others stay", async () => {
  const tried = await trying([
    [
      "/simple/spam/",
      sendsPage(
        pageOf([
          ...NAMES.map((filename) => ({ ...row, filename })),
          { ...row, "requires-python": '"><script>alert(1)</script>', yanked: "<b>&\r\nX: y" },
        ]),
      ),
    ],
    ["/packages/", sendsFile(content)],
  ]);
  const page = await tried.page({ accept: PAGE_TYPE });
  const parsed = z
    .object({ files: z.array(z.object({ filename: z.string() })) })
    .parse(JSON.parse(page.body.toString()));
  expect(parsed.files).toEqual([{ filename: FILE }]);
  const asHtml = await tried.page({ accept: "text/html" });
  expect(asHtml.body.toString()).not.toMatch(/<script|<b>/u);
  expect(asHtml.headers["x"]).toBeUndefined();
  for (const name of NAMES.filter((one) => one !== "" && one !== "..")) {
    const got = await tried.file(encodeURIComponent(name), sha(content));
    expect(got.status).toBe(404);
  }
  await expectUnpoisoned(tried);
});

test("keys of JSON that are JavaScript's own change nothing", async () => {
  const text = JSON.stringify(pageOf([row])).replace(
    "{",
    '{"__proto__":{"files":[],"polluted":true},"constructor":{"prototype":{"polluted":true}},"toString":1,',
  );
  const tried = await trying([["/simple/spam/", json(text)], ...HONEST.slice(1)]);
  expect((await tried.page({ accept: PAGE_TYPE })).status).toBe(200);
  expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  expect((await tried.file()).body.equals(content)).toBe(true);
  await expectUnpoisoned(tried);
});

test("a page that names files of other projects gives them to nobody who asks for these", async () => {
  const eggs = "eggs-1.0.tar.gz";
  const tried = await trying([
    ["/simple/spam/", sendsPage(pageOf([row, rowOf(eggs, other)]))],
    ["/packages/", sendsFile(other)],
  ]);
  await tried.page();
  const files = tried.endpoint.indexPath.replace("simple/", "files/");
  expect((await tried.ask(`${files}eggs/${sha(other)}/${eggs}`)).status).toBe(404);
  expect((await tried.ask(`${tried.endpoint.indexPath}eggs/`)).status).toBe(404);
  await expectUnpoisoned(tried);
});

test("names that are one by the rules are one, however they are written", async () => {
  const tried = await trying([
    [
      "/simple/spam-eggs/",
      sendsPage(pageOf([rowOf("spam_eggs-1.0.tar.gz", content)], { name: "Spam.Eggs" })),
    ],
  ]);
  const { indexPath } = tried.endpoint;
  for (const name of ["Spam_Eggs", "spam.eggs", "SPAM--EGGS"])
    expect((await tried.ask(`${indexPath}${name}/`)).headers["location"]).toBe(
      `${indexPath}spam-eggs/`,
    );
  expect((await tried.ask(`${indexPath}spam-eggs/`)).status).toBe(200);
  expect(tried.up.requests).toEqual(["GET /simple/spam-eggs/"]);
});
