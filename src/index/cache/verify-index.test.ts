import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { makeWheel } from "../../../test/upstream/make-wheel.ts";
import { SampleIndex } from "./index-directory.sample.ts";
import { verifyIndex } from "./verify-index.ts";

const signal = new AbortController().signal;

test("what is right stays, and is counted", async () => {
  await using index = new SampleIndex();
  const wheel = makeWheel("spam", "1.0", { "spam.py": "" });
  const sha256 = index.file(wheel, 1);
  index.page("spam", '{"files": []}', 1);
  index.put(`metadata/${sha256}`, "Metadata-Version: 2.1\nName: spam\nVersion: 1.0\n", 1);
  index.put(`metadata/${"0".repeat(64)}`, "of a wheel that is not here", 1);
  index.put("crates/0123456789abcdef/se_rd_serde", '{"name":"serde"}\n', 1);
  const state = await verifyIndex({ directory: index.directory, signal });
  expect(state).toMatchObject({
    checked: { files: 1, pages: 1, metadata: 1, crates: 1 },
    faults: [],
    unchecked: 1,
  });
  expect(state.checkedBytes).toBeGreaterThan(wheel.length);
  expect(existsSync(join(index.directory, "quarantine"))).toBe(false);
});

test("what is wrong is named, and nothing serves it any more", async () => {
  await using index = new SampleIndex();
  const wheel = makeWheel("spam", "1.0", { "spam.py": "" });
  const sha256 = index.file(wheel, 1);
  const damaged = index.file("right", 1);
  writeFileSync(index.pathOf(damaged), "wrong");
  const empty = index.file("was cut off", 1);
  writeFileSync(index.pathOf(empty), "");
  index.page("eggs", "{}", 1);
  const page = join(index.directory, "pages/0123456789abcdef/eg/eggs.page.gz");
  index.put("pages/0123456789abcdef/eg/eggs.page.gz", "no gzip", 2);
  index.put(`metadata/${sha256}`, "Name: forged\n", 1);
  index.put("crates/0123456789abcdef/se_rd_serde", "<html>", 1);
  const { faults } = await verifyIndex({ directory: index.directory, signal });
  expect(faults.toSorted((a, b) => (a.area + a.name < b.area + b.name ? -1 : 1))).toEqual(
    [
      { area: "crates", name: "se_rd_serde", fault: "is no part of an index of crates" },
      ...[damaged, empty]
        .toSorted()
        .map((name) => ({ area: "files", name, fault: "holds other content than its name says" })),
      { area: "metadata", name: sha256, fault: "is other metadata than its wheel holds" },
      {
        area: "pages",
        name: "0123456789abcdef/eggs",
        fault: "holds another page than it is said to",
      },
    ].toSorted((a, b) => (a.area + a.name < b.area + b.name ? -1 : 1)),
  );
  expect([index.pathOf(damaged), index.pathOf(empty), page].map((one) => existsSync(one))).toEqual([
    false,
    false,
    false,
  ]);
  expect(readdirSync(join(index.directory, "quarantine"))).toHaveLength(6);
  expect((await verifyIndex({ directory: index.directory, signal })).faults).toEqual([]);
});

test("a page whose process ended between its two halves is no fault: it is asked for anew", async () => {
  await using index = new SampleIndex();
  index.page("spam", '{"one": 1}', 5);
  index.page("spam-new", '{"two": 2}', 5);
  const whole = "pages/0123456789abcdef/sp/spam";
  const { gzipSync } = await import("node:zlib");
  index.put(`${whole}.page.gz`, gzipSync('{"two": 2}'), 1);
  expect((await verifyIndex({ directory: index.directory, signal })).faults).toEqual([]);
});

test("it can be interrupted, and says how far it is", async () => {
  await using index = new SampleIndex();
  index.file("a", 1);
  index.file("b", 1);
  const controller = new AbortController();
  const told: number[] = [];
  await expect(
    verifyIndex({
      directory: index.directory,
      signal: controller.signal,
      onProgress: (bytes, of) => {
        told.push(bytes, of);
        controller.abort(new Error("enough"));
      },
    }),
  ).rejects.toThrow("enough");
  expect(told).toEqual([1, 2]);
});
