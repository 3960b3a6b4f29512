import { expect, test } from "vitest";

import { s3Address, urlOf, type S3Place } from "./s3-place.ts";

const place: S3Place = {
  bucket: "farm",
  prefix: "one/",
  endpoint: "https://s3.example:9000",
  region: "us-east-1",
  addressing: "path",
};

test.each([
  ["path", "https://s3.example:9000/farm/one/a/b.txt", "https://s3.example:9000/farm?list-type=2"],
  ["host", "https://farm.s3.example:9000/one/a/b.txt", "https://farm.s3.example:9000/?list-type=2"],
] as const)("an object and the bucket, addressed by %s", (addressing, object, listing) => {
  expect(urlOf({ ...place, addressing }, "one/a/b.txt").href).toBe(object);
  expect(urlOf({ ...place, addressing }, null, { "list-type": "2" }).href).toBe(listing);
});

test("what it is called", () => {
  expect(s3Address(place, "a/b.txt")).toBe("s3://farm/one/a/b.txt");
});
