import { expect, test } from "vitest";

import { versionOfFile } from "./locked-package.ts";

test.each([
  ["my_pkg-1.0.tar.gz", "my-pkg", "1.0"],
  ["my-pkg-1.0-rc1.zip", "my-pkg", "1.0rc1"],
  ["spam-1.0-2-py3-none-any.whl", "spam", "1.0"],
  ["spam-1.0.exe", "spam", null],
  ["ham-1.0-py3-none-any.whl", "spam", null],
])("%s of %s is %s", (filename, project, version) => {
  const file = { project, filename, sha256: "", sizeBytes: 1, url: "", upstream: "" };
  expect(versionOfFile({ ...file, uploadTime: null, requiresPython: null })).toBe(version);
});
