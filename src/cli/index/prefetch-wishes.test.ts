import { expect, test } from "vitest";

import { wishesOfLock, wishesOfRequirements, wishOf } from "./prefetch-wishes.ts";
import { projectLine } from "./prefetch.ts";

const hash = (digit: string): string => digit.repeat(64);

test("a project is what an index can have", () => {
  expect(wishOf("Attrs==25.3.0")).toMatchObject({ project: "attrs", sha256s: null });
  for (const text of ["a b", "spam @ https://x.example/spam.whl", "", "-r"])
    expect(() => wishOf(text)).toThrow("is no project that an index could have");
});

test("of a requirements file all that names a project, with its hashes where it has some", () => {
  const { wishes, notes } = wishesOfRequirements(
    `# comment
--index-url https://other.example/
Spam_Eggs==1.0 ; python_version > "3" \\
    --hash=sha256:${hash("a")} \\
    --hash=sha256:${hash("b")}
ham>=2
bacon @ https://x.example/bacon.whl
-r more.txt
`,
    "requirements.txt",
  );
  expect(wishes).toMatchObject([
    { project: "spam-eggs", sha256s: [hash("a"), hash("b")] },
    { project: "ham", sha256s: null },
  ]);
  expect(notes.map((note) => note.replace("requirements.txt: ", ""))).toEqual([
    "left out --index-url https://other.example/",
    "more.txt: is not in the tree",
    "left out bacon @ https://x.example/bacon.whl",
  ]);
});

test("of a lock its files by hash, and what was built with", () => {
  const text = `lock-version = "1.0"
created-by = "creamery"
[[packages]]
name = "Spam"
version = "1.0"
wheels = [{ name = "spam-1.0-py3-none-any.whl", url = "https://x.example/w", hashes = { sha256 = "${hash("a")}" } }]
sdist = { name = "spam-1.0.tar.gz", url = "https://x.example/s", hashes = { sha256 = "${hash("b")}" } }
[[tool.creamery.build]]
name = "setuptools-80.0-py3-none-any.whl"
url = "https://x.example/b"
hashes = { sha256 = "${hash("c")}" }
`;
  expect(wishesOfLock(text, "pylock.toml")).toEqual([
    { project: "spam", specifiers: [], sha256s: [hash("b"), hash("a")] },
    { project: "setuptools", specifiers: [], sha256s: [hash("c")] },
  ]);
  expect(() => wishesOfLock("a = ", "pylock.toml")).toThrow("is no lock file");
});

test("a line for each project says what is here, and what is not", () => {
  const base = {
    project: "spam",
    versions: ["1.0"],
    files: 1,
    bytes: 2048,
    fetchedFiles: 0,
    fetchedBytes: 0,
    stale: false,
    faults: [],
  };
  expect(projectLine(base)).toBe("spam 1.0: 1 file of 2.0 KiB, 0 fetched now");
  expect(projectLine({ ...base, files: 0, versions: [], faults: ["is on no index"] })).toBe(
    "spam: is on no index",
  );
});
