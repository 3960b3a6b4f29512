import { expect, test } from "vitest";

import { hostOf, parseRepositoryName } from "./repository-name.ts";

test.each([
  ["https://git.example/owner/name", "git.example/owner/name"],
  ["https://git.example/Owner/Name.git", "git.example/owner/name"],
  ["http://git.example:8443/group/sub/name/", "git.example:8443/group/sub/name"],
  ["git.example/owner/name", "git.example/owner/name"],
  ["https://GIT.example:443/owner/name.git/", "git.example/owner/name"],
])("%s is %s", (text, name) => {
  expect(parseRepositoryName(text)).toBe(name);
});

test.each([
  "",
  "https://git.example/",
  "git.example",
  "/etc/passwd",
  "//git.example/owner/name",
  "https://user:pass@git.example/owner/name",
  "https://git.example/owner/name?token=x",
  "https://git.example/owner/name#x",
  "https://git.example/owner//name",
  "https://git.example/owner/na me",
  "https://git.example/owner/%2e%2e",
  "ssh://git.example/owner/name",
  "git@git.example:owner/name.git",
  `git.example/${"a".repeat(600)}`,
  `git.example/${"a".repeat(5000)}`,
])("%j names no repository", (text) => {
  expect(parseRepositoryName(text)).toBeNull();
});

test("the host is what stands before the first slash", () => {
  const name = parseRepositoryName("https://git.example:8443/owner/name");
  expect(name === null ? null : hostOf(name)).toBe("git.example:8443");
});
