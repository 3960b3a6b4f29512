import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { parseGitReference } from "./git-reference.ts";

test.each([
  ["git+http://forge.example/x", "address-refused", /by https alone/u],
  ["git+ssh://forge.example/x", "address-refused", /by https alone/u],
  ["git+https://u:p@forge.example/x", "address-refused", /credentials/u],
  ["ext::sh -c x", "address-refused", /by https alone/u],
  ["git+https://forge.example/x@--upload-pack=x", "usage", /no branch, tag or commit/u],
  ["git+https://forge.example/x@a..b", "usage", /no branch, tag or commit/u],
  ["git+https://forge.example/x@100%", "usage", /^100%: is no branch/u],
  ["git+https://forge.example/x@%ff", "usage", /no branch, tag or commit/u],
  ["git+https://forge.example/x#egg=x", "usage", /# or \? .* is not obeyed; write git\+/u],
  ["git+https://forge.example/x@v1#subdirectory=y", "usage", /not obeyed; clone it/u],
  ["git+https://forge.example/x?token=y", "usage", /^git\+https:\/\/forge\.example: .*not obeyed/u],
  ["git+https://forge.example/", "usage", /names no repository/u],
  ["git+nothing", "usage", /no git address/u],
] as const)("%s is refused as %s before git is asked", (text, code, line) => {
  const refused = (): unknown => {
    try {
      return parseGitReference(text);
    } catch (thrown) {
      return thrown;
    }
  };
  const error = refused();
  if (!(error instanceof CreameryError)) throw new Error(`${text} was taken`);
  expect(error.code).toBe(code);
  expect(error.line).toMatch(line);
});

test("a percent sign in the path is the repository's", () => {
  expect(parseGitReference("GIT+https://forge.example/100%25/x%zz@v1")).toEqual({
    url: "https://forge.example/100%25/x%zz",
    ref: "v1",
  });
});
