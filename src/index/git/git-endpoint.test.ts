import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, expect, test } from "vitest";

import { owned } from "../../../test/owned.ts";
import { processesBelow } from "../../../test/process-tree.ts";
import { startForge, type Forge } from "../../../test/upstream/forge.ts";
import { startRelay } from "../../../test/upstream/relay.ts";
import {
  AttemptRecord,
  openIndexService,
  type Endpoint,
  type IndexService,
  type OpenEndpointOptions,
} from "../index-service.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";
import { GitMirrors, type GitMirrorsOptions } from "./git-mirrors.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-git-endpoint-"));
const signal = new AbortController().signal;
let forge: Forge;
beforeEach(async () => {
  const files = { "a.py": "a = 1\n", "tests/test_a.py": "def test_a(): pass\n" };
  forge = owned(await startForge({ repository: "owner/repo.git", files, tag: "v1.2" }));
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function service(more: Partial<GitMirrorsOptions> = {}): Promise<IndexService> {
  const repositories = owned(
    await GitMirrors.open({
      directory: mkdtempSync(join(root, "mirrors-")),
      allow: ["127.0.0.1"],
      authorities: async () => forge.ca,
      intervalMs: 0,
      ...more,
    }),
  );
  const upstreams = await sampleUpstreams({ index: "http://127.0.0.1:9/simple/" });
  const directory = mkdtempSync(join(root, "index-"));
  return owned(await openIndexService({ directory, upstreams, repositories }));
}

interface Guest {
  readonly endpoint: Endpoint;
  /** Runs git as a guest does, all of https through its endpoint. @returns what it says; rejects with what it complains of. */
  readonly git: (...argv: string[]) => Promise<string>;
  /** `http://127.0.0.1:PORT/TOKEN/git/` */
  readonly gitUrl: string;
  readonly directory: string;
}

async function guest(of: IndexService, options: Partial<OpenEndpointOptions> = {}): Promise<Guest> {
  const directory = mkdtempSync(join(root, "guest-"));
  const socketPath = join(directory, "index.sock");
  const endpoint = owned(await of.openEndpoint({ socketPath, attemptId: "a1", ...options }));
  const relay = owned(await startRelay(socketPath));
  const gitUrl = `http://127.0.0.1:${relay.port}${endpoint.gitPath}`;
  const env = {
    PATH: process.env["PATH"],
    HOME: directory,
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_COUNT: "2",
    GIT_CONFIG_KEY_0: `url.${gitUrl}.insteadOf`,
    GIT_CONFIG_VALUE_0: "https://",
    GIT_CONFIG_KEY_1: `url.${gitUrl}.insteadOf`,
    GIT_CONFIG_VALUE_1: "git@",
  };
  const git = async (...argv: string[]): Promise<string> =>
    (await promisify(execFile)("git", argv, { cwd: directory, env })).stdout;
  return { endpoint, git, gitUrl, directory };
}

function url(): string {
  return `${forge.origin}/owner/repo.git`;
}

test.each([
  ["whole", []],
  ["shallow", ["--depth=1"]],
  ["of a tag", ["--branch=v1.2"]],
  ["by the old protocol", ["-c", "protocol.version=0"]],
])("a clone that is %s comes through the mirror, and is recorded", async (_, flags) => {
  const { git, endpoint, directory } = await guest(await service());
  await git("clone", "-q", ...flags, url(), "copy");
  expect(readdirSync(join(directory, "copy")).toSorted()).toEqual([".git", "a.py", "tests"]);
  const record = AttemptRecord.parse(endpoint.record());
  const [row] = record.repositories;
  expect(row).toMatchObject({
    url: url(),
    head: "refs/heads/main",
    commits: [forge.commit],
    stale: false,
  });
  expect(row?.references).toContainEqual({ name: "refs/heads/main", hash: forge.commit });
  expect(record.refused).toEqual([]);
  expect(record.faults).toEqual([]);
  expect(record.bytes).toBeGreaterThan(100);
  expect(record.requests.map(({ path }) => path).join(" ")).not.toContain(
    endpoint.gitPath.split("/")[1],
  );
});

test("a commit is had by its hash, one that was pushed since the last fetch too", async () => {
  const { git, endpoint } = await guest(await service({ intervalMs: 600_000 }));
  await git("clone", "-q", url(), "copy");
  forge.git("commit", "-q", "--allow-empty", "-m", "two");
  forge.git("push", "-q", "origin", "main");
  const next = forge.git("rev-parse", "HEAD").trim();
  await git("init", "-q", "by-hash");
  await git("-C", "by-hash", "fetch", "-q", "--depth=1", url(), next);
  expect((await git("-C", "by-hash", "rev-parse", "FETCH_HEAD")).trim()).toBe(next);
  expect(endpoint.record().repositories[0]?.commits).toEqual([forge.commit, next]);
  const unknown = "0123456789".repeat(4);
  await expect(git("-C", "by-hash", "fetch", "-q", url(), unknown)).rejects.toThrow(
    /remote error: .*has no such branch, tag or commit/u,
  );
  expect(endpoint.record().refused.map(({ why }) => why)).toEqual([
    expect.stringContaining("no such"),
  ]);
  expect(endpoint.record().faults).toEqual([]);
});

test("submodules come through the mirror too", async () => {
  await using other = await startForge({
    repository: "lib.git",
    files: { "lib.c": "int x;\n" },
    tag: "v1",
  });
  const work = forge.git("rev-parse", "--show-toplevel").trim();
  const lines = ['[submodule "lib"]', "path = lib", `url = ${other.origin}/lib.git`, ""];
  writeFileSync(join(work, ".gitmodules"), lines.join("\n"));
  forge.git("add", ".gitmodules");
  forge.git("update-index", "--add", "--cacheinfo", `160000,${other.commit},lib`);
  forge.git("commit", "-q", "-m", "with a submodule");
  forge.git("push", "-q", "origin", "main");
  const both = async (): Promise<string> => `${forge.ca}\n${other.ca}`;
  const { git, endpoint, directory } = await guest(await service({ authorities: both }));
  await git("clone", "-q", "--recurse-submodules", "--shallow-submodules", url(), "copy");
  expect(readdirSync(join(directory, "copy", "lib"))).toContain("lib.c");
  expect(endpoint.record().repositories.map((row) => [row.url, row.commits])).toContainEqual([
    `${other.origin}/lib.git`,
    [other.commit],
  ]);
});

test("nothing is pushed, and the old way to read by files is refused", async () => {
  const { git, endpoint, gitUrl } = await guest(await service());
  await git("clone", "-q", url(), "copy");
  await expect(git("-C", "copy", "push", "-q", "origin", "HEAD:refs/heads/x")).rejects.toThrow(
    /for reading alone/u,
  );
  const base = `${gitUrl}${url().slice("https://".length)}`;
  for (const [path, status] of [
    ["/info/refs", 403],
    ["/HEAD", 404],
    ["/objects/info/packs", 404],
    ["/../../simple/x/", 404],
  ] as const)
    expect((await fetch(`${base}${path}`)).status, path).toBe(status);
  const posted = await fetch(`${base}/git-receive-pack`, { method: "POST", body: "0000" });
  expect(posted.status).toBe(403);
  expect(
    (await fetch(`${base}/git-upload-pack`, { method: "POST", body: "nonsense" })).status,
  ).toBe(400);
  expect(endpoint.record().faults).toEqual([]);
});

test("what is not allowed is refused in a line, and is no fault of the farm's", async () => {
  const { git, endpoint, gitUrl } = await guest(await service());
  for (const [address, line] of [
    ["https://10.0.0.1/x", /10\.0\.0\.1 is no address of the public internet/u],
    ["https://user:secret@git.example/x", /credentials are not served/u],
    [`${forge.origin}/none.git`, /is no git repository that can be read \(404\)/u],
    ["https://name.invalid/x", /name\.invalid/u],
    ["https://a_b!/x", /no repository can have this address/u],
  ] as const)
    await expect(git("ls-remote", address), address).rejects.toThrow(line);
  const record = endpoint.record();
  expect(record.faults).toEqual([]);
  expect(record.refused).toHaveLength(5);
  expect(JSON.stringify(record)).not.toContain("secret");
  expect((await fetch(`${gitUrl}..%2f..%2fetc/info/refs?service=git-upload-pack`)).status).toBe(
    404,
  );
});

test("ssh's short form names the same repository", async () => {
  const { git } = await guest(await service());
  // The port stands where ssh has none: told apart from an owner by its digits.
  const short = `git@${forge.origin.slice("https://".length)}/owner/repo.git`;
  expect(await git("ls-remote", short)).toContain(forge.commit);
});

test("bytes, requests and repositories count against the attempt", async () => {
  const one = await service();
  const bytes = await guest(one, { limits: { bytes: 300 } });
  await expect(bytes.git("clone", "-q", url(), "copy")).rejects.toThrow(/./u);
  expect(bytes.endpoint.record().limits).toEqual(["bytes"]);
  const names = await guest(one, { limits: { names: 0 } });
  await expect(names.git("clone", "-q", url(), "copy")).rejects.toThrow(/too many projects/u);
  expect(names.endpoint.record().limits).toEqual(["names"]);
  const asked = await guest(one, { limits: { requests: 1 } });
  await expect(asked.git("clone", "-q", url(), "copy")).rejects.toThrow(/429/u);
  expect(asked.endpoint.record().limits).toEqual(["requests"]);
});

test("commits that a guest makes up are not looked for without end", async () => {
  const { git, endpoint } = await guest(await service({ intervalMs: 600_000 }));
  await git("init", "-q", "made-up");
  const hash = (at: number): string => String(at).padStart(40, "a");
  for (let at = 0; at < 4; at++) {
    const wanted = Array.from({ length: 10 }, (_, more) => hash(10 * at + more));
    await expect(git("-C", "made-up", "fetch", "-q", url(), ...wanted)).rejects.toThrow(
      at < 3 ? /no such branch/u : /too many commits/u,
    );
  }
  const asked = forge.requests.length;
  await expect(git("-C", "made-up", "fetch", "-q", url(), hash(99))).rejects.toThrow(/too many/u);
  expect(forge.requests).toHaveLength(asked);
  expect(endpoint.record().faults).toEqual([]);
});

test("a replay has what was had, nothing more, and asks no upstream", async () => {
  const one = await service();
  const first = await guest(one);
  await first.git("clone", "-q", url(), "copy");
  const record = AttemptRecord.parse(JSON.parse(JSON.stringify(first.endpoint.record())));
  forge.git("commit", "-q", "--allow-empty", "-m", "two");
  forge.git("push", "-q", "origin", "main");
  const next = forge.git("rev-parse", "HEAD").trim();
  const since = await guest(one);
  await since.git("clone", "-q", url(), "copy");
  expect((await since.git("-C", "copy", "rev-parse", "HEAD")).trim()).toBe(next);

  forge.fault = 503;
  const asked = forge.requests.length;
  const again = await guest(one, { replay: record });
  await again.git("clone", "-q", url(), "copy");
  expect((await again.git("-C", "copy", "rev-parse", "HEAD")).trim()).toBe(forge.commit);
  expect(await again.git("ls-remote", url())).not.toContain(next);
  await expect(again.git("-C", "copy", "fetch", "-q", "origin", next)).rejects.toThrow(
    /the attempt that is replayed was not given/u,
  );
  await expect(again.git("ls-remote", `${forge.origin}/other.git`)).rejects.toThrow(
    /had no such repository/u,
  );
  expect(forge.requests).toHaveLength(asked);
  expect(again.endpoint.record()).toMatchObject({
    replayed: true,
    faults: [],
    repositories: [{ url: url(), commits: [forge.commit] }],
  });
  await again.endpoint.close();
});

test("a replay of what is kept no more is a fault that says so, unless it is brought first", async () => {
  const first = await guest(await service());
  await first.git("clone", "-q", url(), "copy");
  const record = first.endpoint.record();
  const elsewhere = await service();
  const lost = await guest(elsewhere, { replay: record });
  await expect(lost.git("ls-remote", url())).rejects.toThrow(/kept no more/u);
  expect(lost.endpoint.record().faults).toHaveLength(1);
  for (const { url: address, commits } of record.repositories)
    await elsewhere.keepCommits(address, commits, signal);
  const again = await guest(elsewhere, { replay: record });
  expect(await again.git("ls-remote", url())).toContain(forge.commit);
  await expect(
    elsewhere.keepCommits(url(), ["0123456789".repeat(4)], signal),
  ).rejects.toMatchObject({ code: "upstream" });
});

test("without mirrors no repository is served", async () => {
  const upstreams = await sampleUpstreams({ index: "http://127.0.0.1:9/simple/" });
  const directory = mkdtempSync(join(root, "index-"));
  const { git } = await guest(owned(await openIndexService({ directory, upstreams })));
  await expect(git("ls-remote", url())).rejects.toThrow(/serves no repositories/u);
});

test("a client that goes away leaves no program behind", async () => {
  const { gitUrl } = await guest(await service());
  const gone = new AbortController();
  const address = `${gitUrl}${url().slice("https://".length)}/info/refs?service=git-upload-pack`;
  const asking = fetch(address, { signal: gone.signal });
  gone.abort();
  await expect(asking).rejects.toThrow(/abort/u);
  // Other suites run git at the same time.
  const own = () =>
    processesBelow(process.pid).filter(({ words }) => words.includes("upload-pack"));
  await expect.poll(own).toEqual([]);
});
