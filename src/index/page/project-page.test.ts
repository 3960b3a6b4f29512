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
