import { expect, test } from "vitest";

import { parseInstant, parseUploadTime, readableUploadTime } from "./instant.ts";

test.each([
  ["2025-06-01T00:00:00Z", "2025-06-01T00:00:00.000Z"],
  ["2025-06-01t00:00:00z", "2025-06-01T00:00:00.000Z"],
  ["2025-06-01 00:00:00Z", "2025-06-01T00:00:00.000Z"],
  ["2025-06-01", "2025-06-01T00:00:00.000Z"],
  ["2025-06-01T02:00:00+02:00", "2025-06-01T00:00:00.000Z"],
  ["2025-05-31T18:30:00-05:30", "2025-06-01T00:00:00.000Z"],
  ["2025-06-01T00:00:00-00:00", "2025-06-01T00:00:00.000Z"],
  ["2024-02-29", "2024-02-29T00:00:00.000Z"],
  ["2025-06-01T00:00:00.5Z", "2025-06-01T00:00:00.500Z"],
  // Finer than a millisecond is cut off, as uv does.
  ["2025-06-01T00:00:00.999999Z", "2025-06-01T00:00:00.999Z"],
])("%s is the instant %s", (text, told) => {
  expect(parseInstant(text)?.toISOString()).toBe(told);
});

test.each([
  "",
  "now",
  "yesterday",
  "2025-02-29",
  "2025-02-30T00:00:00Z",
  "2025-13-01",
  "2025-00-01",
  "2025-06-00",
  "2025-06-31",
  "0001-01-01",
  "2025-6-1",
  "2025-06-01T24:00:00Z",
  "2025-06-01T00:60:00Z",
  "2025-06-01T00:00:60Z",
  "2025-06-01T00:00Z",
  // Without a zone it could be anybody's.
  "2025-06-01T00:00:00",
  "2025-06-01T00:00:00+24:00",
  "2025-06-01T00:00:00Z; rm",
  " 2025-06-01",
  "1748736000",
  "20250601T000000Z",
  `2025-06-01T00:00:00.${"0".repeat(40)}Z`,
])("%j is no instant", (text) => {
  expect(parseInstant(text)).toBeNull();
});

test.each([
  ["2025-06-01T00:00:00.123456Z", "2025-06-01T00:00:00.123Z"],
  ["2025-06-01T00:00:00", "2025-06-01T00:00:00.000Z"],
  ["2025-06-01T02:00:00.000000+02:00", "2025-06-01T00:00:00.000Z"],
])("an upload at %s was at %s, whatever this host's zone", (text, told) => {
  const ms = parseUploadTime(text);
  expect(ms === null ? null : new Date(ms).toISOString()).toBe(told);
});

test.each(["2025-06-01", "", "soon", "2025-02-30T00:00:00Z"])(
  "an upload at %j is at no known time",
  (text) => {
    expect(parseUploadTime(text)).toBeNull();
  },
);

test.each([
  ["2025-05-31T23:59:59.999999Z", "2025-05-31T23:59:59.999999Z"],
  ["2025-05-31T23:59:59Z", "2025-05-31T23:59:59Z"],
  ["2025-05-31T23:59:59.999999", "2025-05-31T23:59:59.999Z"],
  ["2025-05-31 23:59:59,5z", "2025-05-31T23:59:59.500Z"],
  ["2025-06-01T01:59:59+02:00", "2025-05-31T23:59:59.000Z"],
  ["2025-02-30T00:00:00Z", null],
  ["last week", null],
])("the time %s is written for clients as %s", (said, told) => {
  expect(readableUploadTime(said)).toBe(told);
});
