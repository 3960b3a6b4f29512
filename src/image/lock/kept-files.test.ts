import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { DirectoryBucket } from "../../bucket/directory-bucket.ts";
import { BucketFiles, type KeptFile } from "./kept-files.ts";
import { assertKept, SourceFiles, takeLocked } from "./source-files.ts";
import { splitFiles } from "./split-files.ts";

const { signal } = new AbortController();
const CONTENTS = ["one", "the second", "", "3", "a".repeat(200_000)];

let directory = "";
let kept: BucketFiles;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "kept-"));
  for (const name of ["from", "into"]) mkdirSync(join(directory, name));
  kept = new BucketFiles(await DirectoryBucket.open(join(directory, "bucket")), directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fileOf(content: string): KeptFile & { what: string } {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { sha256, sizeBytes: content.length, what: `what says ${content.slice(0, 10)}` };
}

const FILES = CONTENTS.map(fileOf);
const [FIRST, SECOND, THIRD] = [fileOf("one"), fileOf("the second"), fileOf("3")];
const inBucket = (file: KeptFile) => join(directory, "bucket/image-files", file.sha256);
const taken = () => readdirSync(join(directory, "into")).toSorted();

async function keepAll(): Promise<void> {
  for (const content of CONTENTS)
    writeFileSync(join(directory, "from", fileOf(content).sha256), content);
  await kept.keep(FILES, join(directory, "from"), signal);
}

test("files are kept, found and taken as they were, in any order, and keeping them again is no fault", async () => {
  await keepAll();
  await keepAll();
  const found = await kept.find([THIRD.sha256, "0".repeat(64), FIRST.sha256]);
  expect(found.map(({ sizeBytes }) => sizeBytes)).toEqual([1, 3]);
  await kept.take(FILES.toReversed(), join(directory, "into"), signal);
  for (const content of CONTENTS)
    expect(readFileSync(join(directory, "into", fileOf(content).sha256), "utf8")).toBe(content);
});

test("a byte that the disk has flipped is seen and its file named; keeping it again mends it", async () => {
  await keepAll();
  writeFileSync(inBucket(SECOND), "the secOnd");
  const taking = takeLocked(FILES, kept, join(directory, "into"), signal);
  await expect(taking).rejects.toMatchObject({
    code: "bucket",
    input: `what says the second (${SECOND.sha256})`,
  });
  await keepAll();
  rmSync(join(directory, "into"), { recursive: true });
  mkdirSync(join(directory, "into"));
  await takeLocked(FILES, kept, join(directory, "into"), signal);
  expect(taken()).toHaveLength(FILES.length);
});

test("a file that is cut short, or longer than it was, is named and not its neighbour", async () => {
  for (const content of ["the sec", "the second and more"]) {
    await keepAll();
    writeFileSync(inBucket(SECOND), content);
    await expect(takeLocked(FILES, kept, join(directory, "into"), signal)).rejects.toMatchObject({
      code: "bucket",
      input: `what says the second (${SECOND.sha256})`,
    });
    rmSync(join(directory, "into"), { recursive: true });
    mkdirSync(join(directory, "into"));
  }
});

test("a stream that ends early, or goes on, is no whole", async () => {
  async function* of(...texts: string[]): AsyncGenerator<Buffer> {
    for (const text of texts) yield Buffer.from(text);
  }
  const into = join(directory, "into");
  await splitFiles(of("onet", "he sec", "ond"), [FIRST, SECOND], into, signal);
  expect(readFileSync(join(into, SECOND.sha256), "utf8")).toBe("the second");
  for (const texts of [[], ["3", "more"]]) {
    rmSync(join(into, THIRD.sha256), { force: true });
    await expect(splitFiles(of(...texts), [THIRD], into, signal)).rejects.toMatchObject({
      code: "bucket",
    });
  }
});

test("files that are not kept are counted, and the first of them named, before anything is taken", async () => {
  await assertKept([], kept, signal);
  await expect(assertKept(FILES, kept, signal)).rejects.toThrow(
    /^5 of 5 files of the lock are not kept: what says one \([0-9a-f]{64}\), what says the second .* and 2 more$/u,
  );
  await keepAll();
  await assertKept(FILES, kept, signal);
  const other = { ...SECOND, sizeBytes: SECOND.sizeBytes + 1 };
  await expect(assertKept([FIRST, other], kept, signal)).rejects.toThrow(/^1 of 2 files/u);
});

test("what no lock needs is removed, and nothing else of the bucket", async () => {
  await keepAll();
  const bucket = await DirectoryBucket.open(join(directory, "bucket"));
  await bucket.create("attempts/a1/log.txt", Buffer.from("log"), { compression: "none", signal });
  const needed = [FIRST.sha256, THIRD.sha256, "0".repeat(64)];
  expect(await kept.prune(needed, signal)).toEqual({ files: 3, bytes: 200_010 });
  expect(await kept.find(FILES.map(({ sha256 }) => sha256))).toHaveLength(2);
  expect(await bucket.list("attempts/")).toEqual(["attempts/a1/log.txt"]);
});

async function sources(name: string): Promise<SourceFiles> {
  return await SourceFiles.open({ directory: join(directory, name), kept, locked: null, signal });
}

function pinned(files: SourceFiles, fetch: (path: string) => void) {
  return files.pinned({
    interpreter: "cpython-3.12",
    sha256: SECOND.sha256,
    what: "org.example:cpython",
    fetch: (path) => Promise.resolve(fetch(path)),
  });
}

test("a pinned file is fetched once, then taken as it is kept, and fetched again when the disk has changed it", async () => {
  let fetched = 0;
  const fetch = (path: string) => {
    fetched++;
    writeFileSync(path, "the second");
  };
  const first = await sources("first");
  expect(readFileSync(await pinned(first, fetch), "utf8")).toBe("the second");
  expect(first.archives).toEqual([
    { interpreter: "cpython-3.12", sha256: SECOND.sha256, sizeBytes: 10 },
  ]);
  await kept.keep([SECOND], join(directory, "first"), signal);
  expect(readFileSync(await pinned(await sources("second"), fetch), "utf8")).toBe("the second");
  expect(fetched).toBe(1);
  writeFileSync(inBucket(SECOND), "rotten");
  expect(readFileSync(await pinned(await sources("third"), fetch), "utf8")).toBe("the second");
  expect(fetched).toBe(2);
});

test.each([
  ["another file", "The Second"],
  ["a file that is cut short", "the sec"],
  ["nothing", ""],
])("%s than the pinned one is refused, named, and not kept", async (_, content) => {
  const files = await sources("files");
  const refused = pinned(files, (path) => writeFileSync(path, content));
  await expect(refused).rejects.toMatchObject({
    code: "upstream-hash",
    input: "org.example:cpython",
  });
  await expect(refused).rejects.toThrow(SECOND.sha256);
  expect(readdirSync(join(directory, "files"))).toEqual([]);
  expect(files.archives).toEqual([]);
});
