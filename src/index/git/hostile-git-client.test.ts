import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest";

import { owned } from "../../../test/owned.ts";
import { startForge, type Forge } from "../../../test/upstream/forge.ts";
import { makeCertificate } from "../../../test/upstream/https-server.ts";
import { openIndexService } from "../index-service.ts";
import { sampleUpstreams } from "../upstream/upstreams.sample.ts";
import { GitMirrors } from "./git-mirrors.ts";
import { mirroredCatalogue } from "./mirrored-catalogue.ts";
import { pktLine } from "./pkt-lines.ts";
import { runUploadPack } from "./upload-pack.ts";

const root = mkdtempSync(join(tmpdir(), "creamery-hostile-git-"));
const signal = new AbortController().signal;
let forge: Forge;
beforeEach(async () => {
  // More than what lies between two programs holds.
  const files = { "a.bin": randomBytes(24 << 20) };
  forge = owned(await startForge({ repository: "repo.git", files, tag: "v1" }));
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function openMirrors(authority = forge.ca): Promise<GitMirrors> {
  return owned(
    await GitMirrors.open({
      directory: mkdtempSync(join(root, "mirrors-")),
      allow: ["127.0.0.1"],
      authorities: async () => authority,
      intervalMs: 600_000,
    }),
  );
}

function url(): string {
  return `${forge.origin}/repo.git`;
}

test("upstream is asked for so many commits that nobody knows, and no more", async () => {
  const mirrors = await openMirrors();
  const catalogue = owned(mirroredCatalogue(mirrors, { unknown: 2, aside: 10 }));
  await catalogue.repository(url(), signal);
  const madeUp = (): string => randomBytes(20).toString("hex");
  for (const _ of [1, 2])
    expect((await catalogue.bring(url(), [madeUp()], signal))?.why).toContain("no such branch");
  const asked = forge.requests.length;
  expect(await catalogue.bring(url(), [madeUp()], signal)).toMatchObject({
    why: "too many commits that nobody knows",
  });
  expect(forge.requests).toHaveLength(asked);
  expect(await catalogue.bring(url(), [forge.commit], signal)).toBeNull();
});

test("what branches and tags are is had without end, of all else so much stays in a mirror", async () => {
  for (const message of ["two", "three", "four"])
    forge.git("commit", "-q", "--allow-empty", "-m", message);
  forge.git("push", "-q", "origin", "main");
  const [tip = "", three = "", two = "", first = ""] = forge
    .git("log", "--format=%H")
    .trim()
    .split("\n");
  const mirrors = await openMirrors();
  const catalogue = owned(mirroredCatalogue(mirrors, { unknown: 2, aside: 1 }));
  await catalogue.repository(url(), signal);
  for (const hash of [tip, first, three])
    expect(await catalogue.bring(url(), [hash], signal)).toBeNull();
  expect(await catalogue.bring(url(), [two], signal)).toMatchObject({
    why: "too many commits of no branch or tag",
  });
  const kept = await mirrors.kept(url());
  const argv = ["--git-dir", kept?.path ?? "", "for-each-ref", "refs/creamery"];
  expect(execFileSync("git", argv, { encoding: "utf8" }).trim().split("\n")).toHaveLength(3);
});

test("a client that goes away and comes again has no more fetched at once than one that waits", async () => {
  const directory = mkdtempSync(join(root, "tls-"));
  const [keyFile, caFile] = makeCertificate(directory);
  const cert = readFileSync(caFile, "utf8");
  let asked = 0;
  // Never answers.
  const server = createServer({ key: readFileSync(keyFile), cert }, () => void asked++);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const catalogue = owned(mirroredCatalogue(await openMirrors(cert)));
  const clients = Array.from({ length: 12 }, () => new AbortController());
  const answers = clients.map((client, at) =>
    catalogue.repository(`https://127.0.0.1:${address.port}/r${at}`, client.signal),
  );
  const ended = Promise.allSettled(answers);
  await expect.poll(() => asked).toBe(2);
  for (const client of clients) client.abort();
  await ended;
  const again = new AbortController();
  const last = catalogue.repository(`https://127.0.0.1:${address.port}/last`, again.signal);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(asked).toBe(2);
  again.abort();
  await expect(last).rejects.toThrow(/abort/u);
});

function wanting(commit: string): Buffer {
  const lines = [pktLine("command=fetch"), Buffer.from("0001"), pktLine(`want ${commit}\n`)];
  return Buffer.concat([...lines, pktLine("done\n"), Buffer.from("0000")]);
}

test("a guest that asks for much and takes nothing keeps no other guest waiting", async () => {
  const service = owned(
    await openIndexService({
      directory: mkdtempSync(join(root, "index-")),
      upstreams: await sampleUpstreams({ index: "http://127.0.0.1:9/simple/" }),
      repositories: await openMirrors(),
    }),
  );
  const open = async (attemptId: string) => {
    const socketPath = join(mkdtempSync(join(root, "s-")), "s");
    const endpoint = owned(await service.openEndpoint({ socketPath, attemptId }));
    const body = wanting(forge.commit);
    const head = [
      `POST ${endpoint.gitPath}${url().slice("https://".length)}/git-upload-pack HTTP/1.1`,
      "host: x",
      "connection: close",
      "git-protocol: version=2",
      `content-length: ${body.length}`,
      "",
      "",
    ].join("\r\n");
    return () => {
      const socket = connect(socketPath);
      socket.write(Buffer.concat([Buffer.from(head), body]));
      return socket;
    };
  };
  const [hostile, other] = [await open("a1"), await open("a2")];
  const stuck = Array.from({ length: 12 }, () => hostile().pause());
  onTestFinished(async () => stuck.forEach((socket) => socket.destroy()));
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const answer = await text(other().setEncoding("latin1"));
  expect(answer).toContain("200 OK");
  expect(answer.length).toBeGreaterThan(24 << 20);
});

test("a client that takes nothing is given up, and its program ended", async () => {
  const mirrors = await openMirrors();
  const { path } = await mirrors.repository(url(), signal);
  const ended = Promise.withResolvers<unknown>();
  const server = createHttpServer((_, response) => {
    const input = wanting(forge.commit);
    const run = { path, input, response, signal, advertise: false, protocol: "version=2" };
    runUploadPack({ ...run, count: () => undefined, stalledMs: 300 }).then(
      () => ended.resolve(null),
      (thrown: unknown) => ended.resolve(thrown),
    );
  });
  const socketPath = join(mkdtempSync(join(root, "s-")), "s");
  server.listen(socketPath);
  await once(server, "listening");
  const socket = connect(socketPath).pause();
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  expect(await ended.promise).toMatchObject({ code: "usage" });
  socket.destroy();
  server.closeAllConnections();
  server.close();
});
