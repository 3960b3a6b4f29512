import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { parseProjects } from "./read-projects.ts";

test("one project on each line, comments and empty lines left out, each once", () => {
  const text =
    "\ufeff# all\r\nattrs==25.3.0  # pinned\n\n  six\nsix\ngit+https://git.example/r@v1\n./tree\n";
  const named = parseProjects(text, "p.txt");
  expect(named.map(({ where }) => where)).toEqual([
    "p.txt: line 2",
    "p.txt: line 4",
    "p.txt: line 6",
    "p.txt: line 7",
  ]);
  expect(named.map(({ target }) => target.kind)).toEqual(["release", "release", "git", "path"]);
});

function faultOf(text: string): CreameryError {
  try {
    parseProjects(text, "p.txt");
  } catch (thrown) {
    if (thrown instanceof CreameryError) return thrown;
    throw thrown;
  }
  throw new Error("was read");
}

test("lines that can't be read are named with their numbers", () => {
  const { line, exitCode } = faultOf("six\n-r more.txt\nfoo=1\nbar baz\n@@\n");
  expect(exitCode).toBe(2);
  expect(line).toMatch(
    /^p\.txt: line 2: -r more\.txt: is an option of pip's; line 3: foo=1: .*; line 4: bar baz: .*; and 1 more; /u,
  );
});

test.each([["# nothing\n"], [""]])("a list without a project is refused: %j", (text) => {
  expect(faultOf(text).line).toContain("names no project");
});

test("a line breaks out of nothing, and a list of any length ends", () => {
  expect(faultOf("\u001b[2J@\u202e\n").line).not.toMatch(/[\u001b\u202e]/u);
  const many = Array.from({ length: 10_001 }, (_, index) => `p${index}`).join("\n");
  expect(faultOf(many).line).toContain("more than 10000");
});
