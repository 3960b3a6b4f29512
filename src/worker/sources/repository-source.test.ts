import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";

import { LauncherClient } from "../../launcher/client.ts";
import type { ResolvedSource } from "../attempt-job.ts";
import { resolveSource } from "./resolve-source.ts";
import { parseTarget } from "./target.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-repository-"));
const archives = join(root, "archives");
let origin = "";
let commit = "";
let close = (): void => undefined;

/** git's own server program behind TLS, as a forge has it. */
beforeAll(async () => {
  const work = join(root, "work");
  const git = (...argv: string[]): string =>
    execFileSync("git", ["-c", "user.name=x", "-c", "user.email=x@x.example", ...argv], {
      cwd: work,
      encoding: "utf8",
    });
  mkdirSync(work);
  git("init", "-q", "-b", "main");
  writeFileSync(join(work, "pyproject.toml"), "");
  git("add", ".");
  git("commit", "-q", "-m", "one");
  git("tag", "v1.2");
  commit = git("rev-parse", "HEAD").trim();
  execFileSync("git", ["clone", "-q", "--bare", work, join(root, "My_Repo.git")]);
  const certificate = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const [key, cert] = [join(root, "key.pem"), join(root, "cert.pem")];
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
      "-keyout",
      key,
      "-out",
      cert,
    ].concat(certificate),
    { stdio: "ignore" },
  );
  const server = createServer(
    { key: readFileSync(key), cert: readFileSync(cert) },
    (request, response) => {
      const url = new URL(request.url ?? "/", "https://localhost");
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
      void buffer(child.stdout).then((whole) => {
        const split = whole.indexOf("\r\n\r\n");
        const headers = new Headers();
        for (const line of whole.toString("latin1", 0, split).split("\r\n"))
          headers.append(line.split(": ")[0] ?? "", line.split(": ")[1] ?? "");
        response.setHeader("content-type", headers.get("content-type") ?? "");
        response.writeHead(Number(headers.get("status")?.slice(0, 3) ?? 200));
        response.end(whole.subarray(split + 4));
      });
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  origin = `https://127.0.0.1:${address.port}`;
  close = () => void server.close();
});

afterAll(() => {
  close();
  rmSync(root, { recursive: true, force: true });
});

function resolve(path: string, allow: readonly string[] = ["127.0.0.1"]): Promise<ResolvedSource> {
  const context = {
    index: () => {
      throw new Error("a repository needs no index");
    },
    launcher: new LauncherClient("/nowhere", () => {
      throw new Error("a repository needs nothing of the launcher");
    }),
    directory: archives,
    cwd: "/",
    allow,
    caFile: join(root, "cert.pem"),
    ca: readFileSync(join(root, "cert.pem"), "utf8"),
  };
  return resolveSource(parseTarget(`git+${origin}${path}`), context, new AbortController().signal);
}

test("a repository is one commit's archive, which is the same each time", async () => {
  const source = await resolve("/My_Repo.git@v1.2");
  expect(source).toMatchObject({
    kind: "repository",
    project: "my-repo",
    version: "",
    sourceFile: { filename: `My_Repo-${commit.slice(0, 12)}.tar.gz`, sha256: source.sha256 },
    label: "My_Repo@v1.2",
  });
  const listed = execFileSync("tar", ["-tzf", source.sourceFile?.path ?? ""], { encoding: "utf8" });
  expect(listed).toContain("/pyproject.toml");
  const again = await resolve("/My_Repo.git");
  expect(again).toMatchObject({
    sha256: source.sha256,
    label: `My_Repo@${commit.slice(0, 12)}`,
  });
  expect(again.sourceFile?.path).not.toBe(source.sourceFile?.path);
  expect(await resolve(`/My_Repo.git@${commit}`)).toMatchObject({
    sha256: source.sha256,
    label: `My_Repo@${commit.slice(0, 12)}`,
  });
});

test.each([
  ["/My_Repo.git@nothing", undefined, "usage"],
  ["/none.git", undefined, "upstream"],
  ["/My_Repo.git", [], "address-refused"],
] as const)(
  "%s, with %j allowed, is refused as %s and leaves nothing",
  async (path, allow, code) => {
    mkdirSync(archives, { recursive: true });
    const before = readdirSync(archives);
    await expect(resolve(path, allow)).rejects.toMatchObject({ code });
    expect(readdirSync(archives)).toEqual(before);
  },
);
