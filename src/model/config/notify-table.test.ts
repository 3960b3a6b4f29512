import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { parseFarmConfig, parseOverrideFile } from "./farm-config.ts";

const parse = (text: string) => parseFarmConfig(text, "creamery.toml", []);
const noticesOf = (text: string) => parse(text).projects.get("six")?.notices;

function lineOf(work: () => unknown): string {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof CreameryError) return thrown.line;
    throw thrown;
  }
  return "nothing was thrown";
}

const OWN = "[project.six]\nrepository = 'https://git.example/Owner/six.git'\n";

test("nobody is told of anything unless the operator says so", () => {
  expect(noticesOf(OWN)).toBeNull();
  expect(noticesOf(`${OWN}notify = {}\n`)).toBeNull();
});

test("a webhook, a commit status and a status of GitLab's, each by itself", () => {
  const hook =
    "[project.six.notify]\nwebhook = { url = 'https://hooks.example/a?b', secret_file = '/s' }\n";
  expect(noticesOf(hook)).toEqual({
    project: "six",
    webhook: { url: "https://hooks.example/a?b", secretFile: "/s" },
    github: null,
    gitlab: null,
  });
  expect(noticesOf(`${OWN}notify.github = { token_file = '/t' }\n`)?.github).toEqual({
    origin: "https://git.example",
    path: "Owner/six",
    kind: "status",
    credentials: { kind: "token", file: "/t" },
    apiUrl: null,
  });
  const app =
    "notify.github = { app_id = 12, key_file = '/k', kind = 'check', api_url = 'https://api.git.example/', repository = 'https://git.example/o/r' }\n";
  expect(noticesOf(`${OWN}${app}`)?.github).toEqual({
    origin: "https://git.example",
    path: "o/r",
    kind: "check",
    credentials: { kind: "app", id: "12", keyFile: "/k" },
    apiUrl: "https://api.git.example",
  });
  const gitlab =
    "notify.gitlab = { token_file = '/t', repository = 'https://git.example/a/b/c/' }\n";
  expect(noticesOf(`${OWN}${gitlab}`)?.gitlab).toEqual({
    origin: "https://git.example",
    path: "a/b/c",
    tokenFile: "/t",
    apiUrl: null,
  });
});

test.each([
  [
    "webhook = { url = 'http://hooks.example/', secret_file = '/s' }",
    "webhook.url: is no https address",
  ],
  [
    "webhook = { url = 'https://u:pw@hooks.example/', secret_file = '/s' }",
    "webhook.url: is no https",
  ],
  [
    "webhook = { url = 'https://hooks.example/', secret_file = 's' }",
    "secret_file: is no absolute path",
  ],
  ["webhook = { url = 'https://hooks.example/' }", "webhook.secret_file: must be text in quotes"],
  [
    "webhook = { url = 'https://hooks.example/', secret_file = '/s', secret = 'abc' }",
    "webhook.secret: unknown key",
  ],
  ["github = { token_file = '/t' }", "github.repository: is missing"],
  ["gitlab = { token_file = '/t' }", "gitlab.repository: is missing"],
  ["github = { repository = 'https://git.example/o/r' }", "github.token_file: is needed"],
  ["github = { repository = 'https://git.example/o/r', app_id = 1 }", "github.key_file: is needed"],
  [
    "github = { repository = 'https://git.example/o/r', token_file = '/t', app_id = 1, key_file = '/k' }",
    "github.token_file: is needed where there is no app_id",
  ],
  [
    "github = { repository = 'https://git.example/o/r', token_file = '/t', kind = 'run' }",
    'github.kind: must be "status" or "check"',
  ],
  [
    "github = { repository = 'git@git.example:o/r', token_file = '/t' }",
    "github.repository: is no https address of a repository",
  ],
  [
    "gitlab = { repository = 'https://git.example/o/r', token_file = '/t', api_url = 'https://u:pw@git.example/api' }",
    "gitlab.api_url: is no https address",
  ],
])("%s is told in one line, without what it holds", (text, reason) => {
  const line = lineOf(() => parse(`[project.six.notify]\n${text}\n`));
  expect(line).toContain(`creamery.toml: line 2: project.six.notify`);
  expect(line).toContain(reason);
  expect(line).not.toMatch(/pw|abc/u);
});

test("a file of the overrides' directory and a project itself say nothing of it", () => {
  const text = "notify = {}\n";
  expect(lineOf(() => parseOverrideFile(text, "six.toml", "six"))).toContain("notify: unknown key");
});
