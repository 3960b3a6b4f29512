import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { isName, normaliseName } from "../../python/names.ts";
import { parseTarget } from "./target.ts";

/** Null when it is taken. */
function refusalOrNull(text: string): CreameryError | null {
  try {
    parseTarget(text);
    return null;
  } catch (thrown) {
    if (thrown instanceof CreameryError) return thrown;
    throw thrown;
  }
}

function refusal(text: string): CreameryError {
  const error = refusalOrNull(text);
  if (error === null) throw new Error(`${text} was taken`);
  return error;
}

describe("a release", () => {
  test("any name will do, normalised, and any of its releases", () => {
    const names = fc.stringMatching(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,20}[A-Za-z0-9])?$/u);
    fc.assert(
      fc.property(
        names.filter((name) => isName(name) && !/\.(?:whl|zip|tgz)$/iu.test(name)),
        (name) => {
          expect(parseTarget(` ${name} `)).toEqual({
            kind: "release",
            project: normaliseName(name),
            extras: [],
            specifier: null,
            // What has a dot in it may be a file's name.
            ...(name.includes(".") ? { word: name } : {}),
          });
        },
      ),
    );
  });

  test.each([
    ["attrs==25.3.0", [], [{ operator: "==", text: "25.3.0" }]],
    ["attrs[tests]>=25", ["tests"], [{ operator: ">=", text: "25" }]],
    [
      "Attrs [Tests,tests, Dev_x] >=24, <26",
      ["tests", "dev-x"],
      [
        { operator: ">=", text: "24" },
        { operator: "<", text: "26" },
      ],
    ],
    ["attrs===25.3.0", [], [{ operator: "===", text: "25.3.0" }]],
    ["attrs (>=25)", [], [{ operator: ">=", text: "25" }]],
  ])("%s", (text, extras, specifier) => {
    expect(parseTarget(text)).toMatchObject({
      kind: "release",
      project: "attrs",
      extras,
      specifier,
    });
  });

  test.each([
    ['attrs; python_version < "3"', /a marker .*; leave it out/u],
    ["attrs @ https://index.example/attrs.whl", /attrs: a release can't be named by an address/u],
    ["attrs=25", /versions; write attrs==VERSION/u],
    ["attrs==", /write attrs==VERSION/u],
    ["attrs[te sts]", /write attrs==VERSION/u],
    ["-rf", /is no project's name/u],
    ["a b c", /write a==VERSION/u],
    ["~", /is no project's name/u],
  ])("%s is refused, and it is said what to type", (text, line) => {
    const error = refusal(text);
    expect([error.code, error.exitCode]).toEqual(["bad-requirement", 2]);
    expect(error.line).toMatch(line);
  });
});

describe("a path", () => {
  test.each([
    ".",
    "..",
    "./attrs",
    "../x",
    "/srv/x",
    "sub/directory",
    "directory/",
    "~/x",
    "x-1.0.tar.gz",
    "x-1.0-py3-none-any.whl",
    "main.zip",
    "x.tgz",
    "X.ZIP",
    "./x[tests]",
    ".[tests]",
    "dist/x-1.0-py3-none-any.whl[a,b]",
    "x-1.0-py3-none-any.whl[a]",
    "x-1.0.tar.gz[a]",
  ])("%s stays as it was typed", (path) => {
    expect(parseTarget(path)).toEqual({ kind: "path", path });
  });
});

describe("a repository", () => {
  test.each([
    ["git+https://forge.example/a/repo@v1.2", "https://forge.example/a/repo", "v1.2"],
    ["git+https://forge.example/repo.git", "https://forge.example/repo.git", null],
    ["git+https://forge.example/repo@feature/x", "https://forge.example/repo", "feature/x"],
  ])("%s", (text, url, ref) => {
    expect(parseTarget(text)).toEqual({ kind: "git", url, ref });
  });

  test.each([
    ["git+ssh://git:pass-word@forge.example/r", "address-refused", /by https alone; write git\+/u],
    ["git+http://forge.example/r", "address-refused", /by https alone/u],
    ["git+file:///srv/r", "address-refused", /by https alone/u],
    ["git@forge.example:a/repo.git", "address-refused", /forge\.example:a\/repo\.git: .*https/u],
    ["git+https://u:pass-word@forge.example/r", "address-refused", /credentials/u],
    ["git+https://forge.example/r@a..b", "usage", /no branch, tag or commit/u],
    ["git+https://forge.example/r@%zz", "usage", /no branch, tag or commit/u],
    ["git+https://forge.example/", "usage", /names no repository/u],
    ["git+https://forge.example/r#subdirectory=x", "usage", /clone it/u],
    ["git+https://forge.example/r?x=1", "usage", /not obeyed/u],
    ["git+nothing", "usage", /no git address/u],
    ["https://u:pass-word@forge.example/a", "usage", /https:\/\/forge\.example: .*git\+https/u],
    ["file:///srv/x.whl", "usage", /write the path itself/u],
    ["ftp://forge.example/x", "usage", /git\+https/u],
    ["", "usage", /nothing is named; name a package/u],
    ["a\u0000b", "usage", /is no target/u],
    [`./${"x".repeat(5000)}`, "usage", /is no target/u],
  ])("%s is refused as %s", (text, code, line) => {
    const error = refusal(text);
    expect(error.code).toBe(code);
    expect(error.line).toMatch(line);
    expect(error.line).not.toContain("pass-word");
  });
});

test("whatever is typed is a target or is refused in one printable line with a next step", () => {
  const pieces = fc.constantFrom(
    "git+",
    "https://",
    "a",
    "@",
    "/",
    "[",
    "]",
    ";",
    "==",
    "1.0",
    "%",
  );
  const words = fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(words, (text) => {
      const error = refusalOrNull(text);
      const line = error?.line ?? "taken";
      expect(line).toMatch(/^[^\u0000-\u001f\u007f-\u009f]+$/u);
      expect(error?.exitCode ?? 2).toBe(2);
      expect(error === null || error.nextStep !== undefined).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test("a password is in no refusal", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("", "git+", "x @ ", "x@", "a b @ "),
      fc.constantFrom("https", "ssh", "git+ssh", "ftp"),
      fc.constantFrom("", " y", "#x", "@a..b", ";"),
      (before, scheme, after) => {
        const text = `${before}${scheme}://user:pass-word@forge.example/r${after}`;
        expect(refusal(text).line).not.toContain("pass-word");
      },
    ),
  );
});

test("a version after an @ is told what it follows", () => {
  expect(refusal("six@1.0").line).toBe("six@1.0: a version follows ==; write six==1.0");
  expect(refusal("six @ 1.0").line).toBe("six @ 1.0: a version follows ==; write six==1.0");
});
