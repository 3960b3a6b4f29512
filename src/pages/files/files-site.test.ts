import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { isTreePath } from "../../launcher/tree-frames.ts";
import { DOWNLOADS, type Place } from "../shell/place.ts";
import { fileOf } from "./file-of.ts";
import { filesSite } from "./files-site.ts";
import { safeName } from "./safe-name.ts";

const HOSTILE = [
  "",
  ".",
  "..",
  "../../etc/passwd",
  "%2F..%2f",
  "a/b",
  "a\\b",
  "index.html",
  "feed.xml",
  "matrix.svg",
  "con",
  "nul.1",
  "1.0A",
  "1.0a",
  "1!2.0+local.1",
  "a b?c#d&e",
  "\0",
  "\ud800",
  "\udc00",
  "\ufffd",
  "e\u0301",
  "\u00e9",
  "x".repeat(300),
  `${"x".repeat(299)}y`,
  "<script>alert(1)</script>",
  "=41",
  "trailing.",
  "-rf",
  "~root",
  "_config.yml",
];
const name = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary", maxLength: 150 }),
  fc.string({
    unit: fc.constantFrom("A", "a", ".", "=", "-", "/", "4", "1", "\u00e9"),
    maxLength: 8,
  }),
);
const place: fc.Arbitrary<Place> = fc.oneof(
  fc.constantFrom<Place>({ kind: "home" }, { kind: "changes" }, { kind: "images" }),
  fc.record({ kind: fc.constant("project" as const), project: name }),
  fc.record({
    kind: fc.constant("project" as const),
    project: name,
    parameters: fc.record({ before: name }),
  }),
  fc.record({ kind: fc.constant("release" as const), project: name, version: name }),
  fc.record({ kind: fc.constant("attempt" as const), id: name }),
  fc.record({
    kind: fc.constant("log" as const),
    id: name,
    page: fc.integer({ min: 1, max: 999 }),
  }),
  fc.record({
    kind: fc.constant("download" as const),
    id: name,
    what: fc.constantFrom(...DOWNLOADS),
  }),
  fc.record({
    kind: fc.constantFrom("feed" as const, "matrix" as const, "badge" as const, "shields" as const),
    project: name,
  }),
);

describe("a name of others as a file's name", () => {
  test("is one that no server, disk or shell reads otherwise", () => {
    fc.assert(
      fc.property(name, (text) => {
        const file = safeName(text);
        expect(file).toMatch(/^[a-z0-9=](?:[a-z0-9.=-]*[a-z0-9=-])?$/u);
        expect(file.length).toBeLessThanOrEqual(100);
        expect(file).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/u);
      }),
    );
  });

  test("is no other's, also where letters' cases are one", () => {
    fc.assert(
      fc.property(name, name, (one, other) => {
        fc.pre(one !== other);
        expect(safeName(one)).not.toBe(safeName(other));
      }),
    );
    const names = HOSTILE.map(safeName);
    expect(new Set(names).size).toBe(names.length);
  });

  test("is the name itself where that is plain", () => {
    for (const plain of ["lmdb", "1.0", "2.0.dev1", "zope-interface"])
      expect(safeName(plain)).toBe(plain);
    expect(safeName("1!2.0+Local")).toBe("1=212.0=2b=4cocal");
  });
});

describe("a place among files", () => {
  test("has a path that the writer takes, and shares it with no other place", () => {
    const all = { has: () => true, url: null };
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(place, (where) => {
        const path = fileOf(where) ?? "";
        expect(isTreePath(path)).toBe(true);
        const which = seen.get(path) ?? JSON.stringify(where);
        expect(which).toBe(JSON.stringify(where));
        seen.set(path, which);
        expect(filesSite({ ...all, from: { kind: "home" } }).href(where)).toBe(path);
      }),
    );
  });

  test("is found from every other one, by what a browser makes of the link", () => {
    fc.assert(
      fc.property(place, place, (from, to) => {
        const site = filesSite({ from, has: () => true, url: null });
        for (const base of ["file:///tmp/report/", "https://pages.example/~me/x/"]) {
          const found = new URL(site.href(to) ?? "", `${base}${fileOf(from)}`).href;
          expect(found).toBe(`${base}${fileOf(to)}`);
          expect(decodeURIComponent(found)).toBe(found);
        }
      }),
    );
  });

  test("is no link where it is not written, and where only a farm has it", () => {
    const site = filesSite({ from: { kind: "home" }, has: () => false, url: null });
    expect(site.href({ kind: "project", project: "six" })).toBeNull();
    const all = filesSite({ from: { kind: "home" }, has: () => true, url: null });
    for (const kind of ["queue", "hosts", "login"] as const) expect(all.href({ kind })).toBeNull();
    expect(all.href({ kind: "asset", name: "shell.js" })).toBeNull();
    const parameters = { a: "1" };
    for (const asked of [
      { kind: "images", parameters },
      { kind: "project", project: "six", parameters },
      { kind: "project", project: "six", parameters: { before: "1.0", a: "1" } },
    ] as const)
      expect(all.href(asked)).toBeNull();
  });

  test("has an address of its own only where the report's is told", () => {
    const from: Place = { kind: "home" };
    const there: Place = { kind: "attempt", id: "0abc", fragment: "tests" };
    expect(filesSite({ from, has: () => true, url: null }).address(there)).toBeNull();
    expect(
      filesSite({ from, has: () => true, url: "https://pages.example/r" }).address(there),
    ).toBe("https://pages.example/r/a/0abc/index.html#tests");
  });
});
