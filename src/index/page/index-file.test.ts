import { expect, test } from "vitest";

import { asIndexFile, UpstreamFile } from "./index-file.ts";
import { ODD } from "./odd-files.sample.ts";

const FILE = { filename: "spam-1.0-py3-none-any.whl", url: "spam-1.0-py3-none-any.whl" };
const BASE = "https://index.example/files/";

test.each(ODD)("of a file of which is said %j is told %j", (said, told) => {
  const read = UpstreamFile.safeParse({ ...FILE, ...said });
  const file = read.success ? asIndexFile(read.data, BASE) : null;
  expect(file?.raw ?? null).toEqual(told === null ? null : { ...FILE, hashes: {}, ...told });
});

test.each([
  ["core-metadata", { sha256: "A".repeat(64) }, { sha256: "A".repeat(64) }],
  ["dist-info-metadata", { sha256: "a".repeat(64) }, { sha256: "a".repeat(64) }],
  ["data-dist-info-metadata", true, { sha256: null }],
  ["core-metadata", { sha256: "zz" }, { sha256: null }],
  ["core-metadata", {}, { sha256: null }],
  ["core-metadata", false, null],
  ["core-metadata", 3, null],
])("metadata beside a file, said by %s: %j", (key, said, told) => {
  expect(asIndexFile(UpstreamFile.parse({ ...FILE, [key]: said }), BASE)?.upstreamMetadata).toEqual(
    told,
  );
});
