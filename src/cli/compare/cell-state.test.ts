import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { CellStates, type CellState } from "./cell-state.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "creamery-cells-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const STATE: CellState = {
  schema: 1,
  startedAt: "2026-11-29T00:00:00Z",
  from: "sdist",
  rounds: [{ a: "1m8k", b: "1m8l" }],
};

test("what was begun is read back, and nothing else is left beside it", async () => {
  const states = new CellStates(root);
  expect(await states.read("k1")).toBeNull();
  await states.write("k1", STATE);
  await states.write("k1", { ...STATE, rounds: [] });
  expect(await states.read("k1")).toEqual({ ...STATE, rounds: [] });
  expect(readdirSync(join(root, "compare"))).toEqual(["k1.json"]);
});

test.each([
  ["{"],
  ["{}"],
  ['{"schema":2}'],
  [JSON.stringify({ ...STATE, rounds: [{ a: "../x", b: "1" }] })],
])("what can't be read is begun anew: %s", async (text) => {
  const states = new CellStates(root);
  await states.write("k1", STATE);
  writeFileSync(join(root, "compare", "k1.json"), text);
  expect(await states.read("k1")).toBeNull();
});
