import { inspect } from "node:util";

import { expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { parseFarmConfig } from "../../model/config/farm-config.ts";
import type { LauncherClient } from "../../launcher/client.ts";
import { noticeTargets } from "./notice-targets.ts";

const TABLES = `
[project.Hello]
repository = "https://git.example/octo/hello"
notify.webhook = { url = "https://hooks.example/aSecretPath", secret_file = "/hook" }
notify.github = { token_file = "/token" }
[project.other.notify]
github = { repository = "https://git.example/o/r", app_id = 1, key_file = "/key", kind = "check", api_url = "https://api.git.example" }
gitlab = { repository = "https://lab.example/a/b/c", token_file = "/token" }
[project.quiet]
repository = "https://git.example/octo/quiet"
`;

const FILES: Readonly<Record<string, string>> = {
  "/hook": "whsec_aSecretOfTheHook0123456789\n",
  "/token": "ghp_aTokenOfTheForge0123456789\n",
  "/key": "-----BEGIN RSA PRIVATE KEY-----\naKey\n-----END RSA PRIVATE KEY-----\n",
};

function opened(files: Readonly<Record<string, string>>) {
  const asked: string[] = [];
  const launcher = {
    request: async (request: { readonly kind: string; readonly path?: string }) => {
      asked.push(`${request.kind} ${request.path}`);
      const text = files[request.path ?? ""];
      if (text !== undefined) return { text };
      throw new CreameryError("no-such-path", "is not there", { input: request.path ?? "" });
    },
  };
  const { projects } = parseFarmConfig(TABLES, "creamery.toml", []);
  const targets = noticeTargets({
    projects: [...projects.values()].flatMap(({ notices }) => notices ?? []),
    outgoing: { allow: [], ca: async () => undefined },
    urlOf: () => null,
    launcher: asLauncher(launcher),
  });
  return { asked, targets };
}

/** Of the launcher's requests one is made here. */
function asLauncher(fake: unknown): Pick<LauncherClient, "request"> {
  function isLauncher(value: unknown): value is Pick<LauncherClient, "request"> {
    return value === fake;
  }
  if (isLauncher(fake)) return fake;
  throw new Error("it is");
}

test("each project has its own targets, and who said nothing has none", async () => {
  const { targets, asked } = opened(FILES);
  const told = (await targets).map(({ kind, project, host, takes }) => [
    kind,
    project,
    host,
    takes,
  ]);
  expect(told).toEqual([
    ["webhook", "hello", "hooks.example", "change"],
    ["github", "hello", "git.example", "commit"],
    ["github", "other", "api.git.example", "commit"],
    ["gitlab", "other", "lab.example", "commit"],
  ]);
  // With the rights of who asks, as every file that the operator names.
  expect(asked).toEqual([
    "read-user-text /hook",
    "read-user-text /token",
    "read-user-text /key",
    "read-user-text /token",
  ]);
  expect(inspect(await targets, { depth: 12 })).not.toMatch(
    /aSecretOfTheHook|aTokenOfTheForge|aKey/u,
  );
});

test.each([
  ["/hook", "", /\/hook: is no secret of at least 16/u],
  ["/hook", "short", /is no secret/u],
  ["/token", "a token of two or more lines\nX-Header: y", /is no secret/u],
  ["/key", "aTokenInTheWrongPlace", /\/key: holds no private key/u],
])(
  "%s that holds %j is told before the farm starts, without what it holds",
  async (path, text, reason) => {
    const failure: unknown = await opened({ ...FILES, [path]: text }).targets.catch(
      (thrown: unknown) => thrown,
    );
    if (!(failure instanceof CreameryError)) throw new Error("nothing was thrown");
    expect(failure.code).toBe("configuration-file");
    expect(failure.line).toMatch(reason);
    expect(failure.line).not.toMatch(/aToken|X-Header|short/u);
  },
);

test("a file that is not there is named", async () => {
  await expect(opened({}).targets).rejects.toMatchObject({
    code: "configuration-file",
    input: "/hook",
    message: "is not there",
  });
});
