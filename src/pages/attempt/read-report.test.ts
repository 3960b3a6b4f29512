import { Readable } from "node:stream";

import fc from "fast-check";
import { expect, test } from "vitest";

import type { TestResult } from "../../model/attempt.ts";
import { jsonItems, type JsonItem } from "./json-items.ts";
import { readReport } from "./read-report.ts";

const ROOM = { tests: 1000, chars: 1_000_000 };

/** A text in pieces of so many bytes: characters are cut anywhere. */
function pieces(text: string, bytes: number): Readable {
  const whole = Buffer.from(text);
  const count = Math.ceil(whole.length / bytes);
  return Readable.from(
    Array.from({ length: count }, (_, at) => whole.subarray(at * bytes, (at + 1) * bytes)),
  );
}

async function itemsOf(text: string, bytes: number): Promise<JsonItem[]> {
  const items: JsonItem[] = [];
  for await (const some of jsonItems(pieces(text, bytes))) items.push(...some);
  return items;
}

const result = fc.record<TestResult>({
  id: fc.string({ unit: "binary", maxLength: 40 }),
  outcome: fc.constantFrom("passed", "failed", "error", "skipped", "xfailed", "xpassed"),
  seconds: fc.double({ min: 0, max: 1e6, noNaN: true }).map((seconds) => seconds + 0),
  message: fc.string({ unit: "binary", maxLength: 200 }),
});

test("a report is read as it was written, wherever it is cut on its way", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(result, { maxLength: 20 }),
      fc.array(fc.record({ id: fc.string(), message: fc.string() }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 50 }),
      async (results, collectionErrors, bytes) => {
        const text = JSON.stringify({
          schema: 1,
          counts: { collected: 3, results: 1 },
          imported: { results: ['/a/"results":[{'] },
          results,
          unfinished: ["results", "{"],
          collectionErrors,
        });
        const read = await readReport(pieces(text, bytes), ROOM);
        // Halves of characters do not come through UTF-8.
        const clean = (value: unknown): unknown =>
          JSON.parse(Buffer.from(JSON.stringify(value)).toString());
        expect(clean(read.tests)).toEqual(clean(results));
        expect(clean(read.collectionErrors)).toEqual(clean(collectionErrors));
      },
    ),
    { numRuns: 200 },
  );
});

test("items are of the arrays that stand directly in the document, and of no deeper one", async () => {
  const text = '{"a":{"b":[{"no":1}]},"c":[{"d":[{"e":[]}]},"x"],"f":"c","g":[[{"no":2}]]}';
  expect(await itemsOf(text, 3)).toEqual([
    { key: "c", text: '{"d":[{"e":[]}]}' },
    { key: "c", text: '"x"' },
  ]);
});

test("whatever is no report ends in no error, and no test", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', ":", "\\", ",", "a") }),
      async (text) => {
        const read = await readReport(pieces(text, 2), ROOM);
        expect(read.tests).toEqual([]);
      },
    ),
    { numRuns: 500 },
  );
});

test("an item longer than any may be is passed over, and those after it are read", async () => {
  const long = { id: "long", outcome: "passed", seconds: 0, message: "x".repeat(200_000) };
  const short = { id: "short", outcome: "passed", seconds: 0 };
  const text = JSON.stringify({ note: "y".repeat(100_000), results: [short, long, short] });
  for (const bytes of [1000, 1_000_000])
    expect((await readReport(pieces(text, bytes), ROOM)).tests).toEqual([short, short]);
});

test("where there is no room for all, what failed is kept and what is left is counted", async () => {
  const results = Array.from({ length: 100 }, (_, at) => ({
    id: `t${at}`,
    outcome: at >= 95 ? "failed" : "passed",
    seconds: 0,
  }));
  const read = await readReport(pieces(JSON.stringify({ results }), 100), {
    tests: 20,
    chars: 1e6,
  });
  expect(read.tests.filter(({ outcome }) => outcome === "failed")).toHaveLength(5);
  expect(read.tests.length + read.left).toBe(100);
  expect(read.tests.length).toBeLessThanOrEqual(20);
});

test("ids and messages are bounded, whatever wrote them", async () => {
  const long = { id: "i".repeat(5000), outcome: "failed", seconds: 0, message: "m".repeat(9000) };
  const text = JSON.stringify({ results: [long], collectionErrors: [long] });
  const { tests, collectionErrors } = await readReport(pieces(text, 4096), ROOM);
  expect(
    [...tests, ...collectionErrors].map(({ id, message }) => [id.length, message?.length]),
  ).toEqual([
    [500, 4000],
    [500, 4000],
  ]);
});
