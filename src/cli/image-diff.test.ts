import { expect, test } from "vitest";

import { diffOf } from "../image/diff-images.ts";
import { sampleManifest } from "../image/manifest.sample.ts";
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
      { name: "cpython-2.7", from: "2.7.1", to: null },
      { name: "cpython-3.14", from: null, to: "3.14.1" },
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
