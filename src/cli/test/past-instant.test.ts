import { expect, test } from "vitest";

import { pastInstant } from "./past-instant.ts";

const now = new Date("2025-06-01T12:00:00Z");

test("an instant of the past, to now, is the index's date", () => {
  expect(pastInstant("2025-06-01", now).toISOString()).toBe("2025-06-01T00:00:00.000Z");
  expect(pastInstant("2025-06-01T14:00:00+02:00", now)).toEqual(now);
});

test.each([
  [
    "soon",
    "--at soon: is no instant; write 2025-06-01 (its midnight in UTC) or 2025-06-01T12:00:00Z",
  ],
  [
    "2025-02-30",
    "--at 2025-02-30: is no instant; write 2025-06-01 (its midnight in UTC) or 2025-06-01T12:00:00Z",
  ],
  ["2025-06-02", "--at 2025-06-02: is yet to come; name an instant of the past"],
])("--at %s is told in one line", (typed, line) => {
  expect(() => pastInstant(typed, now)).toThrow(expect.objectContaining({ code: "usage", line }));
});
