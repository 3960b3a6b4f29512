import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { fetchGitSource, parseGitReference, type FetchGitOptions } from "./git-source.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-git-"));
const git = (...argv: string[]): string =>
  execFileSync("git", ["-c", "user.name=x", "-c", "user.email=x@x.example", ...argv], {
    cwd: join(root, "work"),
    encoding: "utf8",
  });
let origin = "";
let ca = "";
const server = { close: (): void => undefined };

/** git's own server program behind TLS, as a forge has it. */
beforeAll(async () => {
  mkdirSync(join(root, "work"));
  git("init", "-q", "-b", "main");
  writeFileSync(join(root, "work/.gitattributes"), "tests export-ignore\n");
  mkdirSync(join(root, "work/tests"));
  writeFileSync(join(root, "work/tests/test_x.py"), "def test_x(): pass\n");
  writeFileSync(
    join(root, "work/big.bin"),
    Buffer.from(
      Array.from({ length: 300_000 }, (_, index) => (index * 7919 * (index % 251)) & 255),
    ),
  );
  git("add", ".");
  git("commit", "-q", "-m", "one");
  git("tag", "v1.2");
  execFileSync("git", ["clone", "-q", "--bare", join(root, "work"), join(root, "repo.git")]);
  execFileSync(
    "openssl",
    [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=localhost",
      "-addext",
      "subjectAltName=DNS:localhost,IP:127.0.0.1",
      "-keyout",
      join(root, "key.pem"),
      "-out",
      join(root, "cert.pem"),
    ],
    { stdio: "ignore" },
  );
  ca = readFileSync(join(root, "cert.pem"), "utf8");
  const web = createServer(
    { key: readFileSync(join(root, "key.pem")), cert: ca },
    (request, response) => {
      const url = new URL(request.url ?? "/", "https://localhost");
      if (url.pathname.startsWith("/moved"))
        return void response
          .writeHead(301, {
            location: `${url.pathname.replace("/moved", "/repo.git")}${url.search}`,
          })
          .end();
      if (url.pathname.startsWith("/inward"))
        return void response
          .writeHead(301, { location: "https://10.0.0.1/repo.git/info/refs" })
          .end();
      const child = spawn("git", ["http-backend"], {
        env: {
          PATH: process.env["PATH"] ?? "",
          GIT_PROJECT_ROOT: root,
          GIT_HTTP_EXPORT_ALL: "1",
          PATH_INFO: url.pathname,
          QUERY_STRING: url.search.slice(1),
          REQUEST_METHOD: request.method ?? "",
          CONTENT_TYPE: request.headers["content-type"] ?? "",
          HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
          GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
          GIT_CONFIG_COUNT: "1",
          GIT_CONFIG_KEY_0: "safe.directory",
          GIT_CONFIG_VALUE_0: "*",
        },
      });
      request.pipe(child.stdin);
      const chunks: Buffer[] = [];
      child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
      child.on("close", () => {
        const whole = Buffer.concat(chunks);
        const split = whole.indexOf("\r\n\r\n");
        const headers = whole
          .toString("latin1", 0, split)
          .split("\r\n")
          .map((line) => line.split(": "));
        for (const [name, value] of headers)
          if (name !== undefined && value !== undefined && name !== "Status")
            response.setHeader(name, value);
        response
          .writeHead(Number(headers.find(([name]) => name === "Status")?.[1]?.slice(0, 3) ?? 200))
          .end(whole.subarray(split + 4));
      });
    },
  );
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  const address = web.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  origin = `https://127.0.0.1:${address.port}`;
  server.close = () => void web.close();
});

afterAll(async () => {
  server.close();
  await rm(root, { recursive: true, force: true });
});

function options(more: Partial<FetchGitOptions> = {}): FetchGitOptions {
  return {
    directory: mkdtempSync(join(root, "to-")),
    signal: new AbortController().signal,
    timeoutMs: 20_000,
    maxBytes: 50 << 20,
    allow: ["127.0.0.1"],
    caFile: join(root, "cert.pem"),
    ca,
    ...more,
  };
}

test.each(["/repo.git@v1.2", "/repo.git", "/moved@main"])(
  "%s becomes an archive of its commit, tests and all, and no repository stays",
  async (path) => {
    const given = options();
    const source = await fetchGitSource(parseGitReference(`git+${origin}${path}`), given);
    expect(source.commit).toBe(git("rev-parse", "HEAD").trim());
    expect(execFileSync("tar", ["tzf", source.path], { encoding: "utf8" })).toContain(
      `${source.commit.slice(0, 12)}/tests/test_x.py`,
    );
    expect(readdirSync(given.directory)).toHaveLength(1);
  },
);

test("a commit by its whole hash", async () => {
  const commit = git("rev-parse", "HEAD").trim();
  expect(
    (await fetchGitSource(parseGitReference(`git+${origin}/repo.git@${commit}`), options())).commit,
  ).toBe(commit);
});

test.each([
  ["/repo.git@v1.2", { allow: [] }, "address-refused"],
  ["/inward", {}, "address-refused"],
  ["/repo.git@nothing", {}, "usage"],
  ["/none.git", {}, "upstream"],
  ["/repo.git", { timeoutMs: 1 }, "deadline"],
] as const)("%s with %o is refused as %s and leaves nothing", async (path, more, code) => {
  const given = options(more);
  await expect(
    fetchGitSource(parseGitReference(`git+${origin}${path}`), given),
  ).rejects.toMatchObject({ code });
  expect(readdirSync(given.directory)).toEqual([]);
});

test.each([
  "git+http://forge.example/x",
  "git+ssh://forge.example/x",
  "git+https://u:p@forge.example/x",
  "git+https://forge.example/x@--upload-pack=x",
  "git+https://forge.example/x@a..b",
  "ext::sh -c x",
])("%s is refused before git is asked", (text) => {
  expect(() => parseGitReference(text)).toThrow(/is no|credentials/u);
});
