import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { MemoryBucket } from "../../bucket/memory-bucket.sample.ts";
import { attemptKey } from "../../worker/bucket-keys.ts";
import { KeptLogs, type LogBounds } from "./kept-logs.ts";
import { readLog, readLogPage } from "./log-view.ts";

const { signal } = new AbortController();
const LONG_MS = 60_000;

let directory = "";
let bucket: MemoryBucket;
const opened: KeptLogs[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "logs-"));
  bucket = new MemoryBucket();
});
afterEach(async () => {
  for (const logs of opened.splice(0)) await logs[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function keep(bounds: Partial<LogBounds> = {}): KeptLogs {
  const logs = new KeptLogs({ bucket, directory: join(directory, "logs"), bounds });
  opened.push(logs);
  return logs;
}

async function store(id: string, text: string): Promise<void> {
  const options = { signal, compression: "gzip" } as const;
  await bucket.create(attemptKey(id, "log.txt"), Buffer.from(text), options);
}

async function whole(logs: KeptLogs, id: string) {
  const log = await logs.look(id);
  if (log === null) throw new Error("no log");
  expect(await log.whole(LONG_MS, signal)).toBe(true);
  return log;
}

const numbered = (lines: number): string =>
  Array.from({ length: lines }, (_, at) => `line ${at + 1}\n`).join("");

const PLACES: readonly (readonly [string, Partial<LogBounds>])[] = [
  ["in memory", {}],
  ["on disk", { smallBytes: 0 }],
  ["nowhere, where there is no room for it", { smallBytes: 0, diskBytes: 10 }],
];

describe.each(PLACES)("a log that is kept %s", (_, bounds) => {
  test("is read from anywhere", async () => {
    await store("a1", numbered(3000));
    const log = await whole(keep(bounds), "a1");
    expect(log.lines).toBe(3000);
    for (const from of [1, 500, 501, 2999, 3000]) {
      const lines = await log.slice(from, 2, signal);
      expect(lines.map(({ number, text }) => [number, text])).toEqual(
        [from, from + 1].filter((line) => line <= 3000).map((line) => [line, `line ${line}`]),
      );
    }
    expect(await log.slice(3001, 5, signal)).toEqual([]);
  });

  test("is looked through for a text, from any line on", async () => {
    await store("a1", numbered(3000));
    const log = await whole(keep(bounds), "a1");
    expect(await log.find("line 2999", 0, signal)).toBe(2999);
    expect(await log.find("line 1", 1, signal)).toBe(10);
    expect(await log.find("line 3000", 3000, signal)).toBeNull();
    expect(await log.find("nothing like it", 0, signal)).toBeNull();
  });

  test("tells what was left out of a long line", async () => {
    await store("a1", `short\n${"x".repeat(20_000)}\nshort again\n`);
    const log = await whole(keep(bounds), "a1");
    const lines = await log.slice(1, 3, signal);
    expect(lines.map(({ text, cutBytes }) => [text.length, cutBytes])).toEqual([
      [5, 0],
      [8000, 12_000],
      [11, 0],
    ]);
  });
});

test("a log is unpacked once for all who ask at the same time, and one who leaves keeps nobody from it", async () => {
  await store("a1", numbered(100_000));
  let asked = 0;
  bucket.onOperation = (name) => void (name === "open" && asked++);
  const logs = keep({ smallBytes: 0 });
  const leaves = new AbortController();
  const gone = readLog(logs, "a1", leaves.signal, LONG_MS);
  const others = [1, 2, 3].map(() => readLog(logs, "a1", signal, LONG_MS));
  leaves.abort(new Error("left"));
  await expect(gone).rejects.toThrow("left");
  for (const view of await Promise.all(others)) expect(view?.lines).toBe(100_000);
  expect(asked).toBe(1);
});

test("what is kept is bounded, on disk and in memory, and what was looked at last stays", async () => {
  const text = numbered(1000);
  for (const id of ["a1", "a2", "a3"]) await store(id, text);
  const bytes = Buffer.byteLength(text);
  for (const bounds of [
    { memoryBytes: 2.5 * bytes },
    { smallBytes: 0, diskBytes: 2.5 * bytes },
    { logs: 2 },
  ]) {
    const logs = keep(bounds);
    const first = await whole(logs, "a1");
    await whole(logs, "a2");
    await whole(logs, "a1");
    await whole(logs, "a3");
    const { memoryBytes, diskBytes } = logs.sizes();
    expect(memoryBytes + diskBytes).toBe(2 * bytes);
    // The one that was given up was the other, and whoever reads of one that was reads on.
    expect(await logs.look("a1")).toBe(first);
    await first.drop();
    expect((await first.slice(900, 1, signal))[0]?.text).toBe("line 900");
  }
});

describe("while logs are being read, and can't be given up,", () => {
  /** None comes to its end. */
  const stalled = (bounds: Partial<LogBounds>): KeptLogs => {
    const open = async (key: string) => {
      const blob = await bucket.open(key);
      const content = (ends: AbortSignal) => new Readable({ read: () => undefined, signal: ends });
      return blob === null ? null : { ...blob, content };
    };
    const logs = new KeptLogs({ bucket: { open }, directory: join(directory, "logs"), bounds });
    opened.push(logs);
    return logs;
  };
  const text = numbered(1000);
  beforeEach(async () => {
    for (const id of ["a1", "a2", "a3"]) await store(id, text);
  });

  test("they take no more memory than all of them are given", async () => {
    const bytes = Buffer.byteLength(text);
    const logs = stalled({ memoryBytes: 2.5 * bytes });
    for (const id of ["a1", "a2", "a3"]) expect(await logs.look(id)).not.toBeNull();
    expect(logs.sizes().memoryBytes).toBe(2 * bytes);
  });

  test("so many wait for their turn, and who asks for one more is told so", async () => {
    const logs = stalled({ smallBytes: 0, reading: 1, waiting: 1 });
    for (const id of ["a1", "a2"]) expect(await logs.look(id)).not.toBeNull();
    await expect(logs.look("a3")).rejects.toMatchObject({ code: "deadline" });
    expect(await logs.look("a2")).not.toBeNull();
    expect(logs.sizes().logs).toBe(2);
  });
});

test("a log that is given up while somebody reads of it is read on from the bucket", async () => {
  await store("a1", numbered(200_000));
  const log = await whole(keep({ smallBytes: 0 }), "a1");
  const reading = log.slice(1, 200_000, signal);
  await log.drop();
  const lines = await reading;
  expect(lines).toHaveLength(200_000);
  expect(lines.at(-1)?.text).toBe("line 200000");
});

test("nobody finds an unpacked log by a name", async () => {
  await store("a1", numbered(100_000));
  await whole(keep({ smallBytes: 0 }), "a1");
  expect(readdirSync(join(directory, "logs"))).toEqual([]);
});

test("a log that can't be read is a fault of each who asks, and is tried again", async () => {
  await store("a1", numbered(1000));
  const kept = bucket.kept.get(attemptKey("a1", "log.txt"));
  kept?.bytes.writeUInt8(kept.bytes.readUInt8(200) ^ 1, 200);
  const logs = keep();
  await expect(readLog(logs, "a1", signal, LONG_MS)).rejects.toThrow();
  kept?.bytes.writeUInt8(kept.bytes.readUInt8(200) ^ 1, 200);
  expect((await readLog(logs, "a1", signal, LONG_MS))?.lines).toBe(1000);
});

test("where none is kept, there is none", async () => {
  expect(await readLog(keep(), "a1", signal)).toBeNull();
});

test("within an attempt's page stands a bounded part of it, and the step that failed is open", async () => {
  await store(
    "a1",
    `== install: uv\nok\n-- install: exit 0 after 1 s\n== test: pytest\n${numbered(50_000)}-- test: exit 1 after 1 s\n== leftovers: ls\n-- leftovers: exit 0 after 1 s\n`,
  );
  const view = await readLog(keep(), "a1", signal, LONG_MS);
  expect(
    view?.sections.map(({ step, isOpen, isWhole, parts }) => [
      step,
      isOpen,
      isWhole,
      parts.map((lines) => lines.length),
    ]),
  ).toEqual([
    ["install", false, true, [3]],
    ["test", true, false, [20, 180]],
    ["leftovers", false, true, [2]],
  ]);
  expect(view?.sections[1]?.parts.at(-1)?.at(-1)?.text).toBe("-- test: exit 1 after 1 s");
});

test("page by page each line stands on one page", async () => {
  await store("a1", numbered(4001));
  const logs = keep();
  const numbers: number[] = [];
  for (let page = 1; page <= 3; page++) {
    const view = await readLogPage(logs, "a1", page, { waitMs: LONG_MS, signal });
    expect(view?.pages).toBe(3);
    numbers.push(...(view?.parts.flatMap(({ lines }) => lines.map(({ number }) => number)) ?? []));
  }
  expect(numbers).toEqual(Array.from({ length: 4001 }, (_, at) => at + 1));
  expect(await readLogPage(logs, "a1", 4, { waitMs: LONG_MS, signal })).toBeNull();
});
