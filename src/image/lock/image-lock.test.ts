import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { sampleLock } from "./image-lock.sample.ts";
import { lockedFiles, parseLock, renderLock, type ImageLock } from "./image-lock.ts";

const FILE = "/home/someone/image.lock";

test("a lock is read as it was written, a file to a line", () => {
  const missing = [{ name: "cpython-3.10", reason: "no Maven", nextStep: "install maven" }];
  for (const lock of [sampleLock(), sampleLock({ missing, tools: [], archives: [] })]) {
    const text = renderLock(lock);
    expect(parseLock(text, FILE)).toEqual(lock);
    expect(text.split("\n").filter((line) => line.includes('"libc6"'))).toHaveLength(1);
  }
});

test("it says of no file where it was fetched", () => {
  expect(renderLock(sampleLock())).not.toContain("://");
});

test("each of its files is named once, as a person knows it", () => {
  const [first, ...rest] = sampleLock().packages;
  const same = sampleLock({
    packages: [...rest, ...(first === undefined ? [] : [first, { ...first, name: "same-file" }])],
  });
  const named = lockedFiles(same).map(({ what }) => what);
  expect(named).toHaveLength(7);
  expect(named).toEqual(
    expect.arrayContaining(["image.toml", "uv 0.13.9", "the archive of cpython-3.12"]),
  );
});

function edited(change: (lock: ImageLock) => unknown): string {
  return JSON.stringify({ ...sampleLock(), ...Object(change(sampleLock())) });
}

const [libc] = sampleLock().packages;
const file = { sha256: "e".repeat(64), sizeBytes: 1 };

test.each<[string, (lock: ImageLock) => object, RegExp]>([
  [
    "a path as a package's name",
    () => ({ packages: [{ ...libc, name: "../x" }] }),
    /packages\.0\.name/u,
  ],
  [
    "a path as an archive's",
    () => ({ archives: [{ interpreter: "cpython-3.12", file: "../../etc/cron.d/x", ...file }] }),
    /archives\.0\.file/u,
  ],
  [
    "a path as the definition's file",
    ({ definition }) => ({
      definition: { ...definition, files: [{ name: "/etc/passwd", ...file }] },
    }),
    /definition\.files\.0\.name: must be a name and no path/u,
  ],
  [
    "dots alone as a file",
    ({ definition }) => ({ definition: { ...definition, files: [{ name: "..", ...file }] } }),
    /definition\.files\.0\.name/u,
  ],
  [
    "a path as an interpreter",
    () => ({ archives: [{ interpreter: "cpython-3.12/../x", ...file }] }),
    /archives\.0\.interpreter/u,
  ],
  [
    "a path as a tool",
    () => ({ tools: [{ name: "a/b", version: "1", ...file }] }),
    /tools\.0\.name/u,
  ],
  [
    "a path as a hash",
    () => ({ packages: [{ ...libc, sha256: `../${"a".repeat(61)}` }] }),
    /packages\.0\.sha256/u,
  ],
  [
    "a size below nothing",
    () => ({ packages: [{ ...libc, sizeBytes: -1 }] }),
    /packages\.0\.sizeBytes/u,
  ],
  [
    "a size beyond all bounds",
    () => ({ packages: [{ ...libc, sizeBytes: 1e15 }] }),
    /packages\.0\.sizeBytes/u,
  ],
  ["half a byte", () => ({ packages: [{ ...libc, sizeBytes: 0.5 }] }), /packages\.0\.sizeBytes/u],
  [
    "a package twice",
    () => ({ packages: [libc, { ...libc, version: "2.42", ...file }] }),
    /packages: has one of them twice/u,
  ],
  [
    "a tool twice",
    ({ tools }) => ({ tools: [...tools, ...tools] }),
    /tools: has one of them twice/u,
  ],
  [
    "two archives of one interpreter",
    ({ archives }) => ({ archives: [...archives, ...archives] }),
    /archives: has one of them twice/u,
  ],
  [
    "a package of another architecture",
    () => ({ packages: [{ ...libc, architecture: "arm64" }] }),
    /another architecture/u,
  ],
  [
    "two sizes of one file",
    () => ({ tools: [{ name: "uv", version: "1", sha256: libc?.sha256, sizeBytes: 2 }] }),
    /two of them/u,
  ],
  [
    "an id that is not its tree's",
    () => ({ id: "2026.11.2+bbbbbbbb" }),
    /id: is not that of treeSha256/u,
  ],
  ["an id that leads out", () => ({ id: "../2026.11.2+aaaaaaaa" }), /id: must be an image's id/u],
  ["another schema", () => ({ schema: 2 }), /schema/u],
  ["an address", () => ({ packages: [{ ...libc, url: "https://index.example/x" }] }), /url/u],
  ["a terminal's escapes", () => ({ by: "\u001b[31mx" }), /by: must be one line/u],
  [
    "an address in a reason",
    () => ({
      missing: [{ name: "cpython-3.12", reason: "archive https://index.example/x", nextStep: "x" }],
    }),
    /missing\.0\.reason: must hold no address/u,
  ],
  ["no packages", () => ({ packages: undefined }), /packages/u],
])("%s is refused, and named", (_, change, reason) => {
  const read = () => parseLock(edited(change), FILE);
  expect(read).toThrow(reason);
  expect(read).toThrow(CreameryError);
  expect(read).toThrow(expect.objectContaining({ code: "configuration-file", input: FILE }));
});

test.each(["", "{", "null", "[]", "schema = 1"])("%j is no lock", (text) => {
  expect(() => parseLock(text, FILE)).toThrow(/is no lock of an image/u);
});
