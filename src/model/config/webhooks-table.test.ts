import { inspect } from "node:util";
import { expect, test } from "vitest";
import { z } from "zod";

import { CreameryError } from "../../base/errors.ts";
import { readTable } from "./read-table.ts";
import {
  configuredRepository,
  parseHookSecrets,
  RepositoryTable,
  secretsOfHosts,
  secretsOfProject,
  webhookSettings,
  WebhooksTable,
} from "./webhooks-table.ts";

const SECRET = "correct-horse-battery-staple";

function faultOf(text: string): CreameryError {
  try {
    parseHookSecrets(text, "/etc/hooks.toml");
  } catch (thrown) {
    if (thrown instanceof CreameryError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was thrown");
}

test("an empty table is the defaults", () => {
  expect(webhookSettings(WebhooksTable.parse({}))).toEqual({
    secretsFile: null,
    keepMs: 30 * 86_400_000,
    maxBodyBytes: 1024 * 1024,
  });
});

test.each([
  ["secrets_file = 'here'\n", "is no absolute path"],
  ["keep_days = 0\n", "must be at least 1"],
  ["body_kib = 1000000\n", "must be at most 25600"],
  ["secret = 'x'\n", "unknown key"],
])("[webhooks] %j is refused", (text, reason) => {
  expect(readTable(text, WebhooksTable)).toMatchObject({ problem: { reason } });
});

test("a project's repository is looked up by its name and cloned as it was written", () => {
  const table = RepositoryTable.parse({ repository: "https://git.example/Owner/Name.git" });
  expect(configuredRepository("Zope.Interface", table)).toEqual({
    project: "zope-interface",
    url: "https://git.example/Owner/Name.git",
    name: "git.example/owner/name",
    branches: ["main", "master"],
    tags: false,
  });
  expect(configuredRepository("six", {})).toBeNull();
});

test.each([
  "http://git.example/owner/name",
  "https://user:password@git.example/owner/name",
  "https://git.example/owner/name?x=1",
  "https://git.example/",
  "git@git.example:owner/name",
])("%s is no repository that a project can have", (repository) => {
  expect(RepositoryTable.safeParse({ repository }).success).toBe(false);
});

test("a project's and a host's secrets are read, two at most while one takes the place of the other", () => {
  const secrets = parseHookSecrets(
    `[project."Zope.Interface"]\nsecrets = ["${SECRET}-new", "${SECRET}-old"]\n[host."git.example"]\nsecrets = ["${SECRET}-host"]\n`,
    "/etc/hooks.toml",
  );
  const repository = configuredRepository("zope.interface", {
    repository: "https://git.example/zope/interface",
  });
  const shown = (list: ReturnType<typeof secretsOfHosts>): string[] =>
    list.map(({ secret, host }) => `${host} ${secret.reveal()}`);
  expect(shown(secretsOfProject(secrets, repository))).toEqual([
    `git.example ${SECRET}-new`,
    `git.example ${SECRET}-old`,
    `git.example ${SECRET}-host`,
  ]);
  expect(shown(secretsOfHosts(secrets))).toEqual([`git.example ${SECRET}-host`]);
  expect(secretsOfProject(secrets, null)).toEqual([]);
});

test("a host's secrets count for no other host's project", () => {
  const secrets = parseHookSecrets(
    `[host."git.example"]\nsecrets = ["${SECRET}"]\n`,
    "/etc/hooks.toml",
  );
  const elsewhere = configuredRepository("six", { repository: "https://other.example/six/six" });
  expect(secretsOfProject(secrets, elsewhere)).toEqual([]);
});

test("no printing shows a secret", () => {
  const secrets = parseHookSecrets(`[project.six]\nsecrets = ["${SECRET}"]\n`, "/etc/hooks.toml");
  expect(inspect(secrets, { depth: 9, showHidden: true })).not.toContain(SECRET);
  expect(JSON.stringify([...secrets.projects])).not.toContain(SECRET);
});

test.each([
  `${SECRET}\n`,
  `secret = "${SECRET}"\n`,
  `[project.six]\n"${SECRET}" = 1\n`,
  `[project.six]\nsecrets = "${SECRET}"\n`,
  `[project.six]\nsecrets = ["${SECRET}\n`,
  `[project."${SECRET} !"]\nsecrets = ["${SECRET}"]\n`,
  `[project.six]\nsecrets = ["${SECRET}", "${SECRET}", "${SECRET}"]\n`,
  `[project.six]\nsecrets = []\n`,
  `[project.six]\nsecrets = ["short"]\n`,
  `[project.six]\nsecrets = ["${SECRET} with spaces"]\n`,
])("a mistake names file and line, and nothing of the file: %j", (text) => {
  const fault = faultOf(text);
  expect(fault.code).toBe("configuration-file");
  expect(fault.line).toMatch(/^\/etc\/hooks\.toml: line \d+ is wrong; /u);
  for (const shown of [fault.line, inspect(fault, { depth: 9 })]) {
    expect(shown).not.toContain(SECRET);
    expect(shown).not.toContain('short"');
  }
});

test("a farm's table can hold all of it", () => {
  const farm = z.strictObject({
    webhooks: WebhooksTable,
    project: z.record(z.string(), RepositoryTable),
  });
  expect(
    readTable(
      "[webhooks]\nsecrets_file = '/etc/hooks.toml'\n[project.six]\nrepository = 'https://git.example/six/six'\nbranches = ['main', 'release/*']\ntags = true\n",
      farm,
    ),
  ).toMatchObject({ kind: "ok" });
});
