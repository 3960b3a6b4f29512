import { expect, test } from "vitest";

import { RecordBuilder } from "./record-builder.ts";

function builder(): RecordBuilder {
  return new RecordBuilder({
    attemptId: "a1",
    openedAt: "2026-11-24T10:00:00.000Z",
    upstreams: [],
    before: null,
    replayed: false,
  });
}

const file = {
  project: "spam",
  filename: "spam-1.0.tar.gz",
  sha256: "a".repeat(64),
  sizeBytes: 1,
  uploadTime: null,
  requiresPython: null,
  url: "https://files.example/spam",
  upstream: "https://index.example/simple/",
};

test("what was asked for while the release was built stays the build's, whoever asks for it later", () => {
  const record = builder();
  record.file(file);
  expect(record.build().files).toEqual([file]);
  record.building = true;
  record.file(file);
  record.building = false;
  record.file(file);
  expect(record.build().files).toEqual([{ ...file, forBuild: true }]);
});

test("lines of crates are kept as they were first, and up to a bound", () => {
  const record = builder();
  record.crateIndex({ name: "spam", lines: ["first"], stale: false });
  record.crateIndex({ name: "spam", lines: ["second"], stale: false });
  expect(record.build()).toMatchObject({
    crateIndex: [{ name: "spam", lines: ["first"] }],
    truncated: false,
  });
  record.crateIndex({ name: "large", lines: ["x".repeat(33 << 20)], stale: false });
  expect(record.build()).toMatchObject({ crateIndex: [{ name: "spam" }], truncated: true });
});
