import { expect, test } from "vitest";

import { owned } from "../../../test/owned.ts";
import {
  rowOf,
  sends,
  sendsFile,
  sendsPage,
  startBadUpstream,
  type Answer,
} from "../../../test/upstream/bad-upstream.ts";
import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import { pageOf, sha, SILENT, trying } from "./bad-upstreams.sample.ts";
import { verifyIndex } from "../cache/verify-index.ts";

const signal = new AbortController().signal;

const WHEEL = "spam-1.0-py3-none-any.whl";
const wheel = makeWheel("spam", "1.0", { "spam.bin": "x".repeat(200_000), "spam.py": "" }, [
  "eggs",
]);
const forged = Buffer.from(
  "Metadata-Version: 2.1\nName: spam\nVersion: 1.0\nRequires-Dist: evil\n",
);

const metadataCases: readonly (readonly [string, unknown, Answer])[] = [
  [
    "an error page with status 200",
    true,
    sends("<html>Sorry</html>", { "content-type": "text/html" }),
  ],
  ["404", true, sends("", {}, 404)],
  ["another page's", { sha256: sha(Buffer.from("<html>")) }, sends("<html>")],
  ["nothing", true, sends("")],
];

test.each(metadataCases)(
  "a wheel's metadata is %s: the wheel's own is served",
  async (_is, said, answer) => {
    const tried = await trying([
      ["/simple/spam/", sendsPage(pageOf([rowOf(WHEEL, wheel, { "core-metadata": said })]))],
      [`/packages/${WHEEL}.metadata`, answer],
      ["/packages/", sendsFile(wheel)],
    ]);
    const got = await tried.file(`${WHEEL}.metadata`, sha(wheel));
    expect(got.body.toString()).toContain("Requires-Dist: eggs");
    expect(await verifyIndex({ directory: tried.directory, signal })).toMatchObject({ faults: [] });
  },
);

test.each([
  ["with a hash that its page says", { sha256: sha(forged) }],
  ["without", true],
] as const)(
  "metadata that the wheel does not hold, %s: told when the wheel comes, and not served again",
  async (_is, said) => {
    const tried = await trying([
      ["/simple/spam/", sendsPage(pageOf([rowOf(WHEEL, wheel, { "core-metadata": said })]))],
      [`/packages/${WHEEL}.metadata`, sends(forged)],
      ["/packages/", sendsFile(wheel)],
    ]);
    const first = await tried.file(`${WHEEL}.metadata`, sha(wheel));
    expect(first.body.equals(forged)).toBe(true);
    await tried.file(WHEEL, sha(wheel));
    await expect
      .poll(() => tried.endpoint.record().faults)
      .toMatchObject([{ code: "upstream-hash" }]);
    const again = await tried.file(`${WHEEL}.metadata`, sha(wheel));
    expect(again.body.toString()).toContain("Requires-Dist: eggs");
    expect(await verifyIndex({ directory: tried.directory, signal })).toMatchObject({ faults: [] });
  },
);

test("metadata by ranges that lie about the wheel's length, its beginning or its end is none", async () => {
  const range = (from: number, bytes: Buffer, total: number): Answer =>
    sends(bytes, { "content-range": `bytes ${from}-${from + bytes.length - 1}/${total}` }, 206);
  const lies: readonly Answer[] = [
    range(0, wheel.subarray(0, 100), 2 ** 52),
    range(wheel.length - 22, wheel.subarray(-22), wheel.length),
    range(0, Buffer.alloc(65_536, 0x50), wheel.length),
    range(0, Buffer.from("PK\u0005\u0006".padEnd(22, "\u00ff"), "latin1"), 22),
    sends(Buffer.alloc(65_536 * 4), { "content-range": `bytes 0-9/${wheel.length}` }, 206),
  ];
  for (const lie of lies) {
    const tried = await trying([
      ["/simple/spam/", sendsPage(pageOf([rowOf(WHEEL, wheel)]))],
      [
        "/packages/",
        (asked, response) =>
          (asked.headers.range === undefined ? sendsFile(wheel) : lie)(asked, response),
      ],
    ]);
    const got = await tried.file(`${WHEEL}.metadata`, sha(wheel));
    // By way of the whole wheel.
    expect(got.body.toString()).toContain("Requires-Dist: eggs");
  }
});

test("what one index says of a hash is nothing to another's: neither its metadata nor its failing downloads", async () => {
  const bad = owned(
    await startBadUpstream([
      [
        "/simple/bait/",
        sendsPage(pageOf([rowOf(WHEEL, wheel, { "core-metadata": true })], { name: "bait" })),
      ],
      [`/packages/${WHEEL}.metadata`, sends(forged)],
      ["/packages/", () => undefined],
    ]),
  );
  const tried = await trying(
    [
      ["/simple/spam/", sendsPage(pageOf([rowOf(WHEEL, wheel)]))],
      ["/packages/", sendsFile(wheel)],
    ],
    { extra: [bad.url] },
    SILENT,
  );
  const files = tried.endpoint.indexPath.replace("simple/", "files/");
  const bait = await tried.ask(`${files}bait/${sha(wheel)}/${WHEEL}.metadata`);
  expect(bait.body.equals(forged)).toBe(true);
  const own = await tried.file(`${WHEEL}.metadata`, sha(wheel));
  expect(own.body.toString()).toContain("Requires-Dist: eggs");
  const hanging = tried.ask(`${files}bait/${sha(wheel)}/${WHEEL}`);
  expect((await tried.file(WHEEL, sha(wheel))).body.equals(wheel)).toBe(true);
  await hanging;
});
