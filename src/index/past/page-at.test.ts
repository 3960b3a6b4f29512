import { expect, test } from "vitest";

import { pageAt } from "./page-at.ts";
import { samplePage } from "../page/project-page.sample.ts";
import type { ProjectPage } from "../page/project-page.ts";
import { EDGE, UPLOADED } from "./upload-edges.sample.ts";

interface Listed {
  readonly filename: string;
  readonly uploaded: string | null;
  readonly yanked?: boolean | string;
}

function pageOf(files: readonly Listed[], versions?: readonly string[]): ProjectPage {
  return samplePage({
    meta: { "api-version": "1.1", "_last-serial": 9 },
    name: "spam",
    ...(versions === undefined ? {} : { versions }),
    files: files.map(({ filename, uploaded, yanked = false }, index) => ({
      filename,
      url: `https://index.example/files/${filename}`,
      hashes: { sha256: index.toString(16).padStart(64, "0") },
      "upload-time": uploaded,
      yanked,
    })),
  });
}

const at = new Date(EDGE);
const names = (page: ProjectPage): string[] => page.files.map(({ filename }) => filename);

test.each<readonly [string, string | null, boolean]>([
  ...UPLOADED,
  ["a nanosecond before", "2025-05-31T23:59:59.999999999Z", true],
  ["at no time that the index says", null, false],
  ["at what is no time", "last week", false],
  ["on a day that is none", "2025-02-30T00:00:00Z", false],
])("a file uploaded %s (%s)", (_told, uploaded, isThere) => {
  const page = pageAt(pageOf([{ filename: "spam-1.0.tar.gz", uploaded }]), at);
  expect(names(page)).toEqual(isThere ? ["spam-1.0.tar.gz"] : []);
});

const may = "2025-05-01T00:00:00Z";
const july = "2025-07-01T00:00:00Z";

test.each<[string, readonly Listed[], readonly string[], readonly string[]]>([
  [
    "a release that was not there",
    [
      { filename: "spam-1.0.tar.gz", uploaded: may },
      { filename: "spam-2.0.tar.gz", uploaded: july },
    ],
    ["1.0", "2.0"],
    ["1.0"],
  ],
  [
    "a wheel that came before its sdist",
    [
      { filename: "spam-1.0-py3-none-any.whl", uploaded: may },
      { filename: "spam-1.0.tar.gz", uploaded: july },
    ],
    ["1.0"],
    ["1.0"],
  ],
  [
    "a version that begins as another does",
    [
      { filename: "spam-1.1.tar.gz", uploaded: july },
      { filename: "spam-1.1.1.tar.gz", uploaded: may },
    ],
    ["1.1", "1.1.1"],
    ["1.1.1"],
  ],
  [
    "a version that stands in another's tags",
    [
      { filename: "spam-2-cp3-none-linux_1.whl", uploaded: may },
      { filename: "spam-1.tar.gz", uploaded: july },
    ],
    ["1", "2"],
    ["2"],
  ],
  [
    "pre-releases, which are an installer's to pass over",
    [
      { filename: "spam-1.0rc1.tar.gz", uploaded: may },
      { filename: "spam-1.0.dev3-py3-none-any.whl", uploaded: may },
      { filename: "spam-1.0.tar.gz", uploaded: july },
    ],
    ["1.0.dev3", "1.0rc1", "1.0"],
    ["1.0.dev3", "1.0rc1"],
  ],
  [
    "versions written in several ways",
    [
      { filename: "spam-1.0.0-py3-none-any.whl", uploaded: may },
      { filename: "spam-1.0-rc.1.tar.gz", uploaded: may },
      { filename: "spam-2!1.0+ubuntu.1.tar.gz", uploaded: may },
    ],
    ["1.0", "1.0rc1", "2!1.0+ubuntu.1", "3"],
    ["1.0", "1.0rc1", "2!1.0+ubuntu.1"],
  ],
  [
    "eggs and installers, which are of versions too",
    [
      { filename: "spam-0.1-py2.7.egg", uploaded: may },
      { filename: "spam-0.2.win32-py2.6.exe", uploaded: may },
      { filename: "spam-0.3.win-amd64-py2.7.msi", uploaded: july },
    ],
    ["0.1", "0.2", "0.3"],
    ["0.1", "0.2"],
  ],
  [
    "versions of which nothing is known",
    [{ filename: "spam-1.0.tar.gz", uploaded: null }],
    ["1.0", "0.9"],
    [],
  ],
])("versions: %s", (_told, files, versions, left) => {
  const page = pageAt(pageOf(files, versions), at);
  expect(page.versions).toEqual(left);
  expect(page.raw["versions"]).toEqual(left);
});

test("an index that lists no versions is not made to", () => {
  const page = pageAt(pageOf([{ filename: "spam-1.0.tar.gz", uploaded: may }]), at);
  expect([page.versions, page.raw["versions"]]).toEqual([[], undefined]);
});

test("a yank of which nothing else is known is there at every instant", () => {
  const files = [{ filename: "spam-1.0.tar.gz", uploaded: may, yanked: "broken" }];
  expect(pageAt(pageOf(files), at).files[0]?.yanked).toBe("broken");
});

test("what is left out is told, and files without a time by name, as many as are looked at", () => {
  const undated = Array.from({ length: 30 }, (_, n) => ({
    filename: `spam-${n}.tar.gz`,
    uploaded: null,
  }));
  const page = pageAt(pageOf([...undated, { filename: "spam-99.tar.gz", uploaded: july }]), at);
  expect(page.raw["meta"]).toEqual({
    "api-version": "1.1",
    _creamery: {
      at: "2025-06-01T00:00:00.000Z",
      newer: 1,
      undated: { count: 30, files: undated.slice(0, 20).map(({ filename }) => filename) },
      lost: { count: 0, files: [] },
      restored: 0,
      unyanked: 0,
    },
  });
  // Today's serial is not that of then.
  expect(page.lastSerial).toBeNull();
});

test("a page of thousands of files and versions takes no time that grows with their product", () => {
  const count = 20_000;
  const versions = Array.from({ length: count }, (_, n) => `${n}.0`);
  const page = pageOf(
    versions.map((version) => ({ filename: `spam-${version}.tar.gz`, uploaded: may })),
    versions,
  );
  expect(pageAt(page, at).versions).toHaveLength(count);
});
