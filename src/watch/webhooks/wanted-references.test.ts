import { expect, test } from "vitest";

import { configuredRepository, type RepositoryTable } from "../../model/config/webhooks-table.ts";
import type { PushedReference } from "./delivery.ts";
import { wantedReferences } from "./wanted-references.ts";

const reference = (name: string, change: Partial<PushedReference> = {}): PushedReference => ({
  name,
  kind: "branch",
  commit: "a".repeat(40),
  deleted: false,
  ...change,
});

function wanted(references: readonly PushedReference[], table: RepositoryTable = {}): string[] {
  const repository = configuredRepository("six", {
    repository: "https://git.example/a/b",
    ...table,
  });
  if (repository === null) throw new Error("no repository");
  return wantedReferences(references, repository).map(({ name }) => name);
}

test.each([
  ["main", ["main"], true],
  ["main2", ["main"], false],
  ["release/1.0", ["release/*"], true],
  ["release", ["release/*"], false],
  ["release/1.0", ["*"], true],
  ["1.x-fixes", ["*.x-*"], true],
  ["1.x", ["*.x-*"], false],
  ["aba", ["ab*ba"], false],
  ["abba", ["ab*ba"], true],
  ["abcabc", ["a*c*c"], true],
  ["abc", ["a*c*c"], false],
  ["a+b", ["a.b"], false],
  ["main", [], false],
])("branch %s of %j: %s", (name, branches, expected) => {
  expect(wanted([reference(name)], { branches })).toEqual(expected ? [name] : []);
});

test("a pattern of many stars takes no time to speak of", () => {
  expect(wanted([reference("a".repeat(200))], { branches: [`${"*a".repeat(90)}*b`] })).toEqual([]);
});

test("without a word of the operator it is main and master, and no tags", () => {
  const tag = reference("v1", { kind: "tag" });
  expect(wanted([reference("main"), reference("master"), reference("topic"), tag])).toEqual([
    "main",
    "master",
  ]);
  expect(wanted([tag, reference("main", { kind: "tag" })], { tags: true })).toEqual(["v1", "main"]);
});

test("what is deleted is never tested, the default branch always", () => {
  expect(wanted([reference("main", { deleted: true, commit: null })])).toEqual([]);
  expect(wanted([reference("HEAD")], { branches: [] })).toEqual(["HEAD"]);
});

test("of one push no more than 32", () => {
  const many = Array.from({ length: 100 }, (_, at) => reference(`b${at}`));
  expect(wanted(many, { branches: ["*"] })).toHaveLength(32);
});
