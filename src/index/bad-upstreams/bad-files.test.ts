import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";

import { sends, sendsFile, sendsRaw, type Answer } from "../../../test/upstream/bad-upstream.ts";
import {
  content,
  expectUnpoisoned,
  FILE,
  honestPage,
  other,
  redirect,
  SILENT,
  trying,
  type BadAnswer,
} from "./bad-upstreams.sample.ts";

const cut = (at: number): Answer =>
  sendsRaw(`HTTP/1.1 200 OK\nContent-Length: ${content.length}\n\n`, content.subarray(0, at));
const interesting = [
  0,
  1,
  1023,
  1024,
  content.length - 1025,
  content.length - 1024,
  content.length - 1,
];

const BAD_FILES: readonly BadAnswer[] = [
  {
    is: "another file of the same length",
    answer: sends(other),
    fault: ["upstream-hash", /sha256/u],
  },
  {
    is: "a file of another length, as it says",
    answer: sends(Buffer.concat([content, content])),
    fault: ["upstream-hash", /bytes where its page says/u],
  },
  {
    is: "a shorter file, as it says",
    answer: sends(content.subarray(0, 5000)),
    fault: ["upstream-hash", /5000 bytes where its page says/u],
  },
  {
    is: "more than its page says, in chunks and without end",
    answer: (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(content));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    },
    fault: ["upstream-hash", /more bytes than/u],
  },
  {
    is: "less than its page says, in chunks that end well",
    answer: (_request, response) => response.writeHead(200).end(content.subarray(0, 5000)),
    fault: ["upstream", /cut short/u],
  },
  {
    is: "more on the connection than it said",
    answer: sendsRaw(
      `HTTP/1.1 200 OK\nContent-Length: ${content.length}\n\n`,
      Buffer.concat([other, Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")]),
    ),
    fault: ["upstream-hash", /sha256/u],
  },
  {
    is: "nothing, not even a head",
    answer: () => undefined,
    patience: SILENT,
    fault: ["upstream", /sent nothing/u],
  },
  {
    is: "a head, and then nothing",
    answer: (_request, response) =>
      response.writeHead(200, { "content-length": content.length }).flushHeaders(),
    patience: SILENT,
    fault: ["upstream", /sent nothing|broke off/u],
  },
  {
    is: "a byte now and then, for ever",
    answer: (_request, response) => {
      response.writeHead(200, { "content-length": content.length });
      const drip = setInterval(() => response.write(content.subarray(0, 1)), 50);
      response.on("close", () => clearInterval(drip));
    },
    patience: { deadlineMs: 4000 },
    fault: ["deadline", /too long/u],
  },
  {
    is: "a redirect to plain http elsewhere",
    answer: redirect("http://192.0.2.1/spam.tar.gz"),
    fault: ["address-refused", /no https address/u],
  },
  {
    is: "a redirect to a private address",
    answer: redirect("https://169.254.169.254/latest/meta-data"),
    fault: ["address-refused", /no address of the public internet/u],
  },
  {
    is: "a redirect to this host by another name",
    answer: redirect("https://[::ffff:127.0.0.1]/x"),
    fault: ["address-refused", /no address of the public internet/u],
  },
  {
    is: "a redirect to a file of this host",
    answer: redirect("file:///etc/passwd"),
    fault: ["address-refused", /no https address/u],
  },
  {
    is: "a redirect to itself",
    answer: redirect(`/packages/${FILE}`),
    fault: ["upstream", /without end/u],
  },
  {
    is: "a redirect to no address",
    answer: redirect("http://["),
    fault: ["upstream", /no address/u],
  },
  {
    is: "a redirect to a page of its own",
    answer: redirect("/simple/spam/"),
    fault: ["upstream-hash", /bytes where its page says|sha256/u],
  },
  {
    is: "an error page with status 200",
    answer: sends("<!DOCTYPE html><title>Sorry</title>", { "content-type": "text/html" }),
    fault: ["upstream-hash", /bytes where its page says/u],
  },
  {
    is: "404 for what its page lists",
    answer: sends("", {}, 404),
    fault: ["upstream", /answers 404/u],
  },
  {
    is: "no content",
    answer: (_r, response) => response.writeHead(204).end(),
    fault: ["upstream", /answers 204/u],
  },
  {
    is: "not modified, though it was not asked so",
    answer: (_r, response) => response.writeHead(304).end(),
    fault: ["upstream", /answers 304/u],
  },
  {
    is: "a file that is packed once more",
    answer: sends(gzipSync(content), { "content-encoding": "gzip" }),
    fault: ["upstream", /encoded though/u],
  },
  {
    is: "another range than was asked for",
    answer: sends(
      content.subarray(10),
      { "content-range": `bytes 10-${content.length - 1}/${content.length}` },
      206,
    ),
    fault: ["upstream", /another range/u],
  },
  {
    is: "a half, and then the rest of another file",
    answer: (asked, response) =>
      asked.headers.range === undefined
        ? cut(5000)(asked, response)
        : sendsFile(other)(asked, response),
    fault: ["upstream-hash", /sha256/u],
  },
  {
    is: "a length that is none",
    answer: sendsRaw("HTTP/1.1 200 OK\nContent-Length: -5\n\n", content),
    fault: ["no-network", /can't be reached/u],
  },
  {
    is: "two lengths",
    answer: sendsRaw("HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 7\n\n", content),
    fault: ["no-network", /can't be reached/u],
  },
  {
    is: "no HTTP at all",
    answer: sendsRaw("220 mail.example ESMTP\n"),
    fault: ["no-network", /can't be reached/u],
  },
  {
    is: "a head without end",
    answer: sendsRaw(`HTTP/1.1 200 OK\nX: ${"x".repeat(200_000)}\n\n`, content),
    fault: ["no-network", /can't be reached/u],
  },
  {
    is: "a name for a header that breaks ours",
    answer: sends(other, { "content-disposition": "attachment; filename=../../etc/passwd" }),
    fault: ["upstream-hash", /sha256/u],
  },
];

test.each(BAD_FILES)(
  "a file is $is: whole for nobody, told, and not kept",
  async ({ answer, patience, fault: [code, line] }) => {
    const answers = [
      ["/simple/spam/", honestPage],
      ["/packages/", answer],
    ] as const;
    const tried = await trying(answers, {}, patience);
    const got = await tried.file();
    // Never whole and never as if it were the file, however it ends.
    expect(got.status === 200 && got.whole).toBe(false);
    const { faults, files } = tried.endpoint.record();
    expect(files).toEqual([]);
    expect(faults.map((fault) => fault.code)).toEqual([code]);
    expect(faults[0]?.line).toMatch(line);
    await expectUnpoisoned(tried);
  },
);

test("a file that is cut off at any byte is whole for nobody", async () => {
  const ends = interesting.map(async (at) => {
    const tried = await trying([
      ["/simple/spam/", honestPage],
      [
        "/packages/",
        (asked, response) =>
          asked.headers.range === undefined ? cut(at)(asked, response) : asked.socket.destroy(),
      ],
    ]);
    const got = await tried.file();
    expect(got.status === 200 && got.whole).toBe(false);
    // What is held back until the hash is known is sent to nobody.
    const sent = got.status === 200 ? got.body.length : 0;
    expect(sent).toBeLessThanOrEqual(content.length - 1024);
    expect(tried.endpoint.record()).toMatchObject({ files: [] });
    expect(tried.endpoint.record().faults).toHaveLength(1);
    await expectUnpoisoned(tried);
  });
  await Promise.all(ends);
});
