import fc from "fast-check";
import { expect, test } from "vitest";

import { CUT_MARK, LogIndexer, MAX_LINE_BYTES } from "./index-log.ts";

/** What is kept of a log that comes in these pieces. */
function indexed(...pieces: readonly (string | Buffer)[]): { indexer: LogIndexer; kept: Buffer } {
  const indexer = new LogIndexer();
  const parts = pieces.flatMap((piece) => indexer.add(Buffer.from(piece)));
  // What was given may be used for something else by then.
  return { indexer, kept: Buffer.concat([...parts, ...indexer.end()]) };
}

test("steps begin at our lines, and end as we say", () => {
  const { indexer } = indexed(
    "== install: uv pip install six\nCollected\n-- install: exit 0 after 0.20 s\n",
    "== test: pytest\n====== test session starts ======\n-- other: exit 1\n-- test: exit 1 after 2.00 s\n",
  );
  expect(indexer.sections()).toEqual([
    {
      step: "install",
      command: "uv pip install six",
      from: 1,
      count: 3,
      end: "exit 0 after 0.20 s",
    },
    { step: "test", command: "pytest", from: 4, count: 4, end: "exit 1 after 2.00 s" },
  ]);
});

test("what stands before the first step, and a log without any, is a part of its own", () => {
  expect(indexed("hello\n== test: x\n").indexer.sections()).toMatchObject([
    { step: "", from: 1, count: 1 },
    { step: "test", from: 2, count: 1 },
  ]);
  expect(indexed("hello").indexer.sections()).toMatchObject([{ step: "", from: 1, count: 1 }]);
  expect(indexed().indexer.sections()).toEqual([]);
});

test("lines that look as if they began steps are bounded", () => {
  const { indexer } = indexed("== test: again\n".repeat(5000));
  const sections = indexer.sections();
  expect(sections).toHaveLength(200);
  expect(sections.reduce((sum, { count }) => sum + count, 0)).toBe(5000);
});

test("of a line that was written over, the last is kept", () => {
  const { kept, indexer } = indexed("10%\r20%\r100%\r\nnext\r", "\nlast");
  expect(kept.toString()).toBe("100%\nnext\nlast\n");
  expect(indexer.lines).toBe(3);
});

test("no line is longer than its bound, and none is cut within a character", () => {
  const long = "é".repeat(MAX_LINE_BYTES);
  for (const shift of ["", "x"]) {
    const { kept } = indexed(`${shift}${long}\nnext\n`);
    const mark = kept.indexOf(CUT_MARK);
    const shown = kept.subarray(0, mark);
    expect(shown.length).toBeLessThanOrEqual(MAX_LINE_BYTES);
    expect(shown.toString()).not.toContain("\ufffd");
    const left = Number(kept.toString("latin1", mark + 1, kept.indexOf(0x0a)));
    expect(shown.length + left).toBe(Buffer.byteLength(`${shift}${long}`));
    expect(kept.toString().endsWith("\nnext\n")).toBe(true);
  }
});

test("what a package writes never looks as if it had been cut", () => {
  expect(indexed(Buffer.from([0x61, CUT_MARK, 0x39, 0x0a])).kept.includes(CUT_MARK)).toBe(false);
});

test("in whatever pieces a log comes, the same is kept of it, and each mark leads to its line", () => {
  const words = fc.constantFrom(
    "\n",
    "\r",
    "\r\n",
    "== test: x\n",
    "-- test: y\n",
    "é",
    "long ".repeat(2000),
    "\xff",
  );
  const log = fc
    .array(words, { maxLength: 60 })
    .map((parts) => Buffer.from(parts.join(""), "latin1"));
  fc.assert(
    fc.property(log, fc.array(fc.nat(), { maxLength: 8 }), (bytes, cuts) => {
      const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
        (a, b) => a - b,
      );
      const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const whole = indexed(bytes);
      const inPieces = indexed(...pieces);
      expect(inPieces.kept.equals(whole.kept)).toBe(true);
      expect(inPieces.indexer.sections()).toEqual(whole.indexer.sections());
      expect(whole.indexer.bytes).toBe(whole.kept.length);
      const lines = whole.kept.toString("latin1").split("\n");
      expect(lines.length - 1).toBe(whole.indexer.lines);
      for (let line = 1; line <= whole.indexer.lines; line += 7) {
        const mark = whole.indexer.markBefore(line);
        expect(mark.line).toBeLessThanOrEqual(line);
        const before = whole.kept.subarray(0, mark.offset).toString("latin1");
        expect(before.split("\n").length).toBe(mark.line);
      }
    }),
  );
});
