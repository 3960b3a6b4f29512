import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

import type { Interpreter } from "../model/source.ts";
import { jobEnvironment } from "./guest-environment.ts";

const interpreter: Interpreter = {
  name: "cpython-3.13",
  implementation: "cpython",
  version: "3.13",
  fullVersion: "3.13.0",
  executable: "/usr/bin/python3.13",
  uv: true,
  builder: "debian",
  lacks: null,
};
const gitUrl = "http://127.0.0.1:8080/TOKEN/git/";

test.each([
  ["https://git.example/owner/repo.git", `${gitUrl}git.example/owner/repo.git`],
  ["git://git.example/repo", `${gitUrl}git.example/repo`],
  ["ssh://git@git.example/owner/repo", `${gitUrl}git.example/owner/repo`],
  ["git@git.example:owner/repo.git", `${gitUrl}git.example:owner/repo.git`],
  ["https://127.0.0.1:4443/repo.git", "https://127.0.0.1:4443/repo.git"],
  ["https://localhost/repo.git", "https://localhost/repo.git"],
  ["http://127.0.0.1:8000/repo.git", "http://127.0.0.1:8000/repo.git"],
  ["/srv/repo.git", "/srv/repo.git"],
])("a job's git finds %s at %s", (written, asked) => {
  const { PATH: _, ...env } = jobEnvironment(interpreter, { indexUrl: "http://x/", gitUrl });
  const said = execFileSync("git", ["ls-remote", "--get-url", written], {
    env: { ...env, PATH: process.env["PATH"], HOME: "/nonexistent" },
    encoding: "utf8",
  });
  expect(said.trim()).toBe(asked);
});
