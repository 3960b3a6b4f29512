import { expect, test } from "vitest";

import { diffOf } from "../image/diff-images.ts";
import { sampleManifest } from "../image/manifest.sample.ts";
import type { Builder } from "../model/source.ts";
import { renderDifference } from "./image-diff.ts";

const from = sampleManifest("2026.11.1+00000001", {
  interpreters: ["cpython-2.7", "cpython-3.13"],
  packages: { libc6: "2.41-1", "libfoo-dev": "1", zsh: "5.9", gone: "1", same: "1" },
  tools: { uv: "0.13.9" },
});
const to = sampleManifest("2026.11.2+00000002", {
  interpreters: ["cpython-3.13", "cpython-3.14"],
  packages: { zsh: "5.10", "libfoo-dev": "2", libc6: "2.42-1", fresh: "1", same: "1" },
  tools: { uv: "0.14.0" },
});
const SAME = { lost: [], gained: [], missing: null };
const builders = (before: Builder | null, after: Builder | null) => ({ from: before, to: after });
const tree = (paths: Readonly<Record<string, string>>) => new Map(Object.entries(paths));

const found = diffOf(
  from,
  to,
  tree({ "usr/share/doc/a": "1", "usr/bin/tool": "1", "usr/lib/x.so.1": "1", "etc/b": "1" }),
  tree({ "usr/share/doc/a": "2", "usr/bin/tool": "2", "etc/b": "1", "usr/bin/new": "1" }),
);

test("what breaks people comes first, and what is the same not at all", () => {
  expect(found).toEqual({
    from: from.id,
    to: to.id,
    interpreters: [
      { ...SAME, name: "cpython-2.7", from: "2.7.1", to: null, builder: builders("debian", null) },
      {
        ...SAME,
        name: "cpython-3.14",
        from: null,
        to: "3.14.1",
        builder: builders(null, "debian"),
      },
    ],
    tools: [{ name: "uv", from: "0.13.9", to: "0.14.0" }],
    kernel: null,
    packages: [
      { name: "gone", from: "1", to: null },
      { name: "libc6", from: "2.41-1", to: "2.42-1" },
      { name: "libfoo-dev", from: "1", to: "2" },
      { name: "zsh", from: "5.9", to: "5.10" },
      { name: "fresh", from: null, to: "1" },
    ],
    files: {
      removed: ["usr/lib/x.so.1"],
      changed: ["usr/bin/tool", "usr/share/doc/a"],
      added: ["usr/bin/new"],
    },
  });
});

test("is printed in words, and counted where it is long", () => {
  const text = renderDifference(found, false);
  expect(text).toContain("interpreters\n  - cpython-2.7 2.7.1\n  + cpython-3.14 3.14.1\n");
  expect(text).toContain("  ~ libc6 2.41-1 -> 2.42-1\n");
  expect(text).toContain("files: 1 removed, 2 changed, 1 added\n  - usr/lib/x.so.1\n");
  const added = Array.from({ length: 50 }, (_, index) => `usr/share/${index}`);
  const long = { ...found, files: { removed: [], changed: [], added } };
  expect(renderDifference(long, false)).toContain("  and 30 more (--all, --json)\n");
  expect(renderDifference(long, true)).toContain("+ usr/share/49\n");
});

test("two images that hold the same are said to", () => {
  const same = diffOf(from, { ...from, id: "2026.11.1+00000009" }, new Map(), new Map());
  expect(renderDifference(same, false)).toBe(
    "2026.11.1+00000001 and 2026.11.1+00000009 hold the same\n",
  );
});

/** `from` and `to` with one interpreter that is as said. */
function changed(
  before: Partial<(typeof from.interpreters)[number]>,
  after: Partial<(typeof from.interpreters)[number]>,
): string {
  const [sample] = sampleManifest(from.id, { interpreters: ["cpython-3.12"] }).interpreters;
  if (sample === undefined) throw new Error("it was asked for");
  const none = new Map<string, string>();
  const packages = { ...from, packages: [], tools: [] };
  const one = { ...packages, interpreters: [{ ...sample, ...before }] };
  const other = { ...packages, id: to.id, interpreters: [{ ...sample, ...after }] };
  return renderDifference(diffOf(one, other, none, none), false);
}

test("of an interpreter another builder is told, and what it lacks now or no longer", () => {
  expect(changed({ builder: "other" }, { builder: "upstream" })).toContain(
    "  ~ cpython-3.12 3.12.1 by other -> 3.12.1 by upstream\n",
  );
  expect(changed({ lacks: ["curses", "lzma"] }, { lacks: ["lzma", "sqlite3"] })).toContain(
    "  ~ cpython-3.12 3.12.1 -> 3.12.1; now without sqlite3; now with curses\n",
  );
  // Older images do not say what theirs lack.
  expect(changed({ lacks: null }, { lacks: ["lzma"] })).toMatch(/hold the same\n$/u);
});

test("an interpreter that could not be had is gone with the reason", () => {
  const missing = [{ name: "cpython-3.13", reason: "no Maven", nextStep: "install it" }];
  const without = { ...to, interpreters: [], missing };
  const none = new Map<string, string>();
  expect(renderDifference(diffOf(from, without, none, none), false)).toContain(
    "  - cpython-3.13 3.13.1; left out: no Maven\n",
  );
});
