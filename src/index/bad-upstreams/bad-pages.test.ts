import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

import { PAGE_TYPE, sends, sendsPage, sendsRaw } from "../../../test/upstream/bad-upstream.ts";
import {
  expectUnpoisoned,
  HONEST,
  html,
  json,
  pageOf,
  redirect,
  row,
  SILENT,
  trying,
  type BadAnswer,
} from "./bad-upstreams.sample.ts";
import { takeInventory } from "../cache/inventory.ts";

const signal = new AbortController().signal;

const NO_PAGE: readonly [string, RegExp] = ["upstream", /no project's page/u];

const BAD_PAGES: readonly BadAnswer[] = [
  {
    is: "an error page with status 200",
    answer: html("<!DOCTYPE html><html><body><h1>Service unavailable</h1></body></html>"),
    fault: NO_PAGE,
  },
  {
    is: "a page to log in at",
    answer: html(
      '<html><body><a href="/login">Log in</a> <a href="https://index.example/">index.example</a></body></html>',
    ),
    fault: NO_PAGE,
  },
  {
    is: "HTML that says it is JSON",
    answer: json("<html><body>spam</body></html>"),
    fault: NO_PAGE,
  },
  {
    is: "JSON that says it is HTML",
    answer: html(JSON.stringify(pageOf([row], { said: 1 }))),
    fault: NO_PAGE,
  },
  {
    is: "half a page with the length of the half",
    answer: json(JSON.stringify(pageOf([row])).slice(0, 90)),
    fault: NO_PAGE,
  },
  { is: "nothing with status 200", answer: json(""), fault: NO_PAGE },
  { is: "a list", answer: json("[]"), fault: NO_PAGE },
  { is: "null", answer: json("null"), fault: NO_PAGE },
  {
    is: "files that are no list",
    answer: sendsPage({ ...Object(pageOf([])), files: { a: row } }),
    fault: NO_PAGE,
  },
  {
    is: "files that are all no files",
    answer: sendsPage(pageOf([1, null, "x", { filename: 3, url: [] }])),
    fault: NO_PAGE,
  },
  {
    is: "files with names that can be none",
    answer: sendsPage(pageOf([{ ...row, filename: "../../../etc/passwd" }])),
    fault: NO_PAGE,
  },
  {
    is: "the page of another project",
    answer: sendsPage({ ...Object(pageOf([row])), name: "eggs" }),
    fault: NO_PAGE,
  },
  { is: "a page without a name", answer: sendsPage({ meta: {}, files: [row] }), fault: NO_PAGE },
  { is: "bytes that are no text", answer: json("\u0000\u0001\u0002"), fault: NO_PAGE },
  {
    is: "a page that is cut off",
    answer: sendsRaw(
      `HTTP/1.1 200 OK\nContent-Type: ${PAGE_TYPE}\nContent-Length: 5000\n\n`,
      '{"files": []',
    ),
    fault: ["upstream", /broke off/u],
  },
  {
    is: "a page that is cut off within its chunks",
    answer: sendsRaw(
      `HTTP/1.1 200 OK\nContent-Type: ${PAGE_TYPE}\nTransfer-Encoding: chunked\n\nc\n`,
      '{"files": []',
    ),
    fault: ["upstream", /broke off/u],
  },
  {
    is: "no gzip that says it is",
    answer: sends(JSON.stringify(pageOf([row])), {
      "content-type": PAGE_TYPE,
      "content-encoding": "gzip",
    }),
    fault: ["upstream", /broke off/u],
  },
  {
    is: "half a gzip",
    answer: sends(gzipSync(JSON.stringify(pageOf([row]))).subarray(0, 60), {
      "content-type": PAGE_TYPE,
      "content-encoding": "gzip",
    }),
    fault: ["upstream", /broke off/u],
  },
  {
    is: "an encoding that nobody asked for",
    answer: sends(gzipSync(gzipSync("{}")), {
      "content-type": PAGE_TYPE,
      "content-encoding": "gzip, gzip",
    }),
    fault: NO_PAGE,
  },
  {
    is: "a bomb of gzip",
    answer: sends(gzipSync(Buffer.alloc(80 << 20, 32)), {
      "content-type": PAGE_TYPE,
      "content-encoding": "gzip",
    }),
    fault: ["upstream", /is larger than/u],
  },
  {
    is: "a page without end",
    answer: (_request, response) => {
      response.writeHead(200, { "content-type": PAGE_TYPE });
      const chunk = Buffer.alloc(1 << 20, 32);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    },
    fault: ["upstream", /is larger than/u],
  },
  {
    is: "a page of more files than any project has",
    answer: json(`{"name":"spam","files":[${"{},".repeat(200_001)}{}]}`),
    fault: NO_PAGE,
  },
  {
    is: "an abyss",
    answer: json(`{"name":"spam","files":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    fault: NO_PAGE,
  },
  {
    is: "no head",
    answer: () => undefined,
    patience: SILENT,
    fault: ["upstream", /sent nothing/u],
  },
  {
    is: "a head, and then nothing",
    answer: (_request, response) =>
      response.writeHead(200, { "content-type": PAGE_TYPE, "content-length": 50 }).flushHeaders(),
    patience: SILENT,
    fault: ["upstream", /broke off|sent nothing/u],
  },
  {
    is: "a redirect to a private host",
    answer: redirect("https://10.0.0.1/simple/spam/"),
    fault: ["address-refused", /no address of the public internet/u],
  },
  {
    is: "a redirect to plain http elsewhere",
    answer: redirect("http://192.0.2.1/simple/spam/"),
    fault: ["address-refused", /no https address/u],
  },
  {
    is: "redirects in a circle",
    answer: redirect("/simple/spam/"),
    fault: ["upstream", /without end/u],
  },
  {
    is: "a redirect without an address",
    answer: sends("", {}, 302),
    fault: ["upstream", /answers 302/u],
  },
  {
    is: "a part of a page",
    answer: sends("{}", { "content-range": "bytes 0-1/9" }, 206),
    fault: ["upstream", /answers 206/u],
  },
  {
    is: "not modified, though it was not asked so",
    answer: (_r, response) => response.writeHead(304).end(),
    fault: ["upstream", /answers 304/u],
  },
];

test.each(BAD_PAGES)(
  "a page is $is: told, not kept, and none in its stead",
  async ({ answer, patience, fault: [code, line] }) => {
    const tried = await trying([["/simple/spam/", answer]], {}, patience);
    const got = await tried.page();
    expect(got.status).toBeGreaterThanOrEqual(500);
    const { faults, pages, missing } = tried.endpoint.record();
    expect({ pages, missing }).toEqual({ pages: [], missing: [] });
    expect(faults.map((fault) => fault.code)).toEqual([code]);
    expect(faults[0]?.line).toMatch(line);
    const { units } = await takeInventory(tried.directory, signal);
    expect(units).toEqual([]);
    await expectUnpoisoned(tried);
  },
);

test.each(BAD_PAGES)(
  "a page that was good and is $is now: the old one is served, and says that it is old",
  async ({ answer, patience }) => {
    const tried = await trying(HONEST, {}, patience);
    const good = await tried.page({ accept: PAGE_TYPE });
    tried.up.answers = [["/simple/spam/", answer], ...HONEST.slice(1)];
    tried.later();
    const got = await tried.page({ accept: PAGE_TYPE });
    expect(got.headers["warning"]).toContain("Stale");
    expect(got.body.equals(good.body)).toBe(true);
    expect(tried.endpoint.record().pages).toMatchObject([{ stale: true }]);
    await expectUnpoisoned(tried);
  },
);
