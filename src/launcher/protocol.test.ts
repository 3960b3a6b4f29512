import { expect, it } from "vitest";

import { replySchemas, toLauncherSchema } from "./protocol.ts";

const accepted = (request: object) => toLauncherSchema.safeParse({ id: 1, request }).success;

it("takes ids, never paths", () => {
  expect(accepted({ kind: "stop-guest", guestId: "g12" })).toBe(true);
  expect(accepted({ kind: "remove-image", imageId: "2026.11.1+0123abcd", files: true })).toBe(true);
  for (const id of [
    "",
    "..",
    "../x",
    "a/b",
    "a..b",
    ".hidden",
    "a\u0000b",
    "a b",
    "x".repeat(97),
  ]) {
    expect(accepted({ kind: "remove-image", imageId: id, files: true }), id).toBe(false);
    expect(accepted({ kind: "stop-guest", guestId: id }), id).toBe(false);
  }
});

it("takes of an image from elsewhere its id and its hash, and no path", () => {
  const imported = {
    kind: "import-image",
    imageId: "2026.11.1+0123abcd",
    sha256: "0".repeat(64),
    unpackedBytes: 2 ** 31,
  };
  expect(accepted(imported)).toBe(true);
  expect(accepted({ kind: "pack-image", imageId: imported.imageId })).toBe(true);
  for (const wrong of [
    { sha256: `../${"0".repeat(61)}` },
    { sha256: "0".repeat(63) },
    { imageId: "../x" },
    { unpackedBytes: -1 },
    { unpackedBytes: 2 ** 60 },
    { path: "/etc" },
  ])
    expect(accepted({ ...imported, ...wrong }), JSON.stringify(wrong)).toBe(false);
});

it("takes a person's own paths only when they are absolute and bounded", () => {
  const read = (path: string) =>
    accepted({ kind: "read-user-file", path, result: "a", maxBytes: 2 ** 20 });
  expect(read("/home/someone/a.whl")).toBe(true);
  const probe = (path: string) => accepted({ kind: "probe-user-path", path });
  expect(probe("/home/someone/a")).toBe(true);
  for (const path of ["", "a.whl", "/a\u0000b", `/${"x".repeat(5000)}`])
    expect([read(path), probe(path)]).toEqual([false, false]);
});

it("keeps nothing of a probe: it has no place for a file", () => {
  expect(accepted({ kind: "probe-user-path", path: "/a", result: "a" })).toBe(false);
  const reply = replySchemas["probe-user-path"];
  for (const what of ["file", "directory", "other"])
    expect(reply.safeParse({ what }).success).toBe(true);
  for (const answer of [{ what: "device" }, {}, { what: "file", file: "/run/x" }])
    expect(reply.safeParse(answer).success).toBe(false);
});

it("takes the path of a lock, and never a lock: what it names runs as root", () => {
  const rebuild = (more: object) => accepted({ kind: "rebuild-image", force: false, ...more });
  expect(rebuild({ path: "/home/someone/image.lock" })).toBe(true);
  for (const more of [{}, { path: "image.lock" }, { path: "/a", lock: {} }, { lock: {} }])
    expect(rebuild(more)).toBe(false);
});

it("takes nothing that it does not know", () => {
  expect(accepted({ kind: "run", argv: ["id"] })).toBe(false);
  expect(accepted({ kind: "stop-guest", guestId: "g1", force: true })).toBe(false);
  expect(toLauncherSchema.safeParse({ id: -1, abort: true }).success).toBe(false);
  const limits = {
    guestId: "g1",
    imageId: "i",
    nonce: "0123456789abcdef",
    memoryBytes: 2 ** 30,
    diskBytes: 2 ** 30,
    cpuSeconds: 60,
    pids: 100,
  };
  expect(accepted({ kind: "start-guest", ...limits })).toBe(true);
  for (const change of [
    { pids: 0 },
    { memoryBytes: 0 },
    { cpuSeconds: Number.POSITIVE_INFINITY },
    { nonce: "x" },
  ]) {
    expect(accepted({ kind: "start-guest", ...limits, ...change })).toBe(false);
  }
});
