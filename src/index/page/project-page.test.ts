import { expect, test } from "vitest";
import { z } from "zod";

import { parseProjectPage, type ProjectPage } from "./project-page.ts";
import { renderPage } from "./render-page.ts";

const Rendered = z.looseObject({ files: z.array(z.unknown()) });
const FILE = { filename: "spam-1.0.tar.gz", url: "spam-1.0.tar.gz", hashes: {} };
const PAGE = { meta: { "api-version": "1.1" }, name: "spam", files: [FILE] };

function pageOf(said: object): ProjectPage | null {
  const body = Buffer.from(JSON.stringify({ ...PAGE, ...said }));
  const at = "https://index.example/simple/";
  return parseProjectPage(body, "application/json", `${at}spam/`, "spam", at);
}

test.each([
  [{ meta: null }, { meta: { "api-version": "1.0" } }],
  [{ meta: "1.0" }, { meta: { "api-version": "1.0" } }],
  [{ meta: { "api-version": "1.1", "_last-serial": "x" } }, { meta: { "api-version": "1.1" } }],
  [{ versions: null }, {}],
  [{ versions: ["1.0", 2] }, {}],
  [{ versions: ["1.0"] }, { versions: ["1.0"] }],
  [{ "project-status": "archived" }, {}],
  [{ "project-status": { status: 3 } }, {}],
  [
    { "project-status": { status: "archived", reason: null } },
    { "project-status": { status: "archived" } },
  ],
  [
    { "alternate-locations": [1], _own: null },
    { "alternate-locations": [1], _own: null },
  ],
])("of a page of which is said %j is told %j", (said, told) => {
  const page = pageOf(said);
  if (page === null) throw new Error("no page");
  const { files, ...raw } = Rendered.parse(JSON.parse(renderPage(page, "json")));
  expect(raw).toEqual({ meta: PAGE.meta, name: "spam", ...told });
  expect(files).toHaveLength(1);
});

test.each([
  [{ name: "eggs" }],
  [{ name: null }],
  [{ files: null }],
  [{ files: [{ ...FILE, hashes: { sha256: "x" } }] }],
])("%j makes it no page of the project's", (said) => {
  expect(pageOf(said)).toBeNull();
});

test("a page that begins with a byte order mark is one, as pip has it", () => {
  const at = "https://index.example/simple/";
  const body = Buffer.from(`\uFEFF${JSON.stringify(PAGE)}`);
  const page = parseProjectPage(body, "application/json", `${at}spam/`, "spam", at);
  expect(page?.files).toHaveLength(1);
});

const WHEEL = "spam-1.0-py3-none-any.whl";
const HASH = "0".repeat(64);

// What pip and uv find at each.
test.each([
  ["a name that is cut short", `<a href="${WHEEL}">spam-1.0-py3..&gt;</a>`],
  ["a name in a sentence", `<a href="/files/${WHEEL}?from=a/b">Get ${WHEEL} now</a>`],
  ["no name", `<a href='${WHEEL.replace("-", "%2D")}'></a>`],
  ["no end", `<a href="${WHEEL}">${WHEEL}`],
  ["an end that is the next's beginning", `<a href="${WHEEL}">${WHEEL}\n<a href="../">up</a>`],
  ["a name that its address has not", `<a href="/get?id=3">${WHEEL}</a>`],
  ["a size that can be none", `<a href="${WHEEL}" data-size="${"9".repeat(30)}">${WHEEL}</a>`],
  ["no hash", `<a href="${WHEEL}#sha256=">${WHEEL}</a>`],
])("a link of HTML with %s is a file", (_, link) => {
  const [file, ...more] = htmlPage(link)?.files ?? [];
  expect(more).toEqual([]);
  expect(file).toMatchObject({ filename: WHEEL, sizeBytes: null, sha256: null });
});

test.each([
  [{ md5: "A".repeat(32) }, `#md5=${"a".repeat(32)}`],
  [{ md5: "a".repeat(32), sha512: "b".repeat(128) }, `#sha512=${"b".repeat(128)}`],
  [{ sha512: "b".repeat(128), sha256: HASH }, `#sha256=${HASH}`],
  [{ blake3: "x" }, ""],
])("of the hashes %j HTML has the best that its readers know", (hashes, told) => {
  const page = pageOf({ files: [{ ...FILE, hashes }] });
  const html = page === null ? "" : renderPage(page, "html");
  expect(/<a href="[^"#]*(#?[^"]*)"/u.exec(html)?.[1]).toBe(told);
});

test("a page to log in at, with a program to install, is no page", () => {
  expect(htmlPage('<a href="agent-1.0.zip">Install the agent</a>')).toBeNull();
});

test("a file of HTML whose hash can be none is left out", () => {
  const links = ["zz", HASH].map(
    (hash, at) => `<a href="spam-${at}.zip#sha256=${hash}">spam-${at}.zip</a>`,
  );
  expect(htmlPage(links.join(""))?.files.map(({ filename }) => filename)).toEqual(["spam-1.zip"]);
});

function htmlPage(links: string): ProjectPage | null {
  const at = "https://index.example/simple/";
  return parseProjectPage(Buffer.from(`<html>${links}`), "text/html", `${at}spam/`, "spam", at);
}
