import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, get } from "node:http";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { parse } from "smol-toml";
import { expect, test } from "vitest";

import { cratePrefix } from "./crates.ts";
import { openIndexService } from "../index-service.ts";
import { cratesIndexFromCargo } from "../upstream/upstreams.ts";

test.each([
  ["a", "1"],
  ["ab", "2"],
  ["abc", "3/a"],
  ["Serde_json", "se/rd"],
])("%s is kept below %s", (name, prefix) => {
  expect(cratePrefix(name)).toBe(prefix);
});

test("cargo names its index when it can't reach it", () => {
  const output =
    "error: failed to get `any`\n\nCaused by:\n  failed to download from `https://crates.example/sub/config.json`\n\nCaused by:\n  [7] Could not connect";
  expect(cratesIndexFromCargo(output)).toBe("https://crates.example/sub/");
  expect(cratesIndexFromCargo("error: no such command")).toBeNull();
});

test("a crate comes by our addresses, verified, recorded, and again with upstream gone", async () => {
  const directory = mkdtempSync(join(tmpdir(), "creamery-crates-"));
  const crate = Buffer.alloc(5000, "crate");
  const cksum = createHash("sha256").update(crate).digest("hex");
  const lines = [
    JSON.stringify({ name: "spam", vers: "1.0.0", cksum, deps: [] }),
    JSON.stringify({ name: "spam", vers: "2.0.0", cksum: "0".repeat(64), deps: [] }),
  ];
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url === "/config.json")
      response.end(JSON.stringify({ dl: `http://${request.headers.host ?? ""}/dl` }));
    else if (request.url === "/sp/am/spam") response.end(lines.join("\n"));
    else if (request.url?.startsWith("/dl/spam/") === true) response.end(crate);
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}/`;
  try {
    const upstream = { url, authorization: null, insecure: false };
    await using service = await openIndexService({
      directory,
      upstreams: {
        indexes: [upstream],
        crates: upstream,
        transport: { ca: undefined, clientCert: undefined, proxy: null },
      },
    });
    const socketPath = join(directory, "one.sock");
    await using endpoint = await service.openEndpoint({ socketPath, attemptId: "a1" });
    const text = async (path: string): Promise<string> =>
      (await ask(socketPath, path)).body.toString();
    expect(parse(endpoint.cargoConfig("http://127.0.0.1:8099"))).toMatchObject({
      source: { creamery: { registry: `sparse+http://127.0.0.1:8099${endpoint.cratesPath}` } },
    });
    expect(await text(`${endpoint.cratesPath}config.json`)).toContain(
      `http://localhost${endpoint.cratesPath}dl/{crate}/{version}/{sha256-checksum}`,
    );
    expect(await text(`${endpoint.cratesPath}sp/am/spam`)).toBe(`${lines.join("\n")}\n`);
    expect((await ask(socketPath, `${endpoint.cratesPath}eg/gs/eggs`)).status).toBe(404);
    expect(
      (await ask(socketPath, `${endpoint.cratesPath}dl/spam/1.0.0/${cksum}`)).body.equals(crate),
    ).toBe(true);
    // The other version's bytes are not what its line says.
    expect(
      (await ask(socketPath, `${endpoint.cratesPath}dl/spam/2.0.0/${"0".repeat(64)}`)).whole,
    ).toBe(false);
    const record = endpoint.record();
    expect(record).toMatchObject({
      crates: [{ name: "spam", version: "1.0.0", sha256: cksum }],
      crateIndex: [{ name: "spam", lines }],
      faults: [{ code: "upstream-hash" }],
      missing: ["crate:eggs"],
    });
    const before = asked.length;
    const again = join(directory, "two.sock");
    await using replayed = await service.openEndpoint({
      socketPath: again,
      attemptId: "a2",
      replay: record,
    });
    // What cargo resolved with is there again, whatever of it was fetched: a lock of its own may name all.
    expect((await ask(again, `${replayed.cratesPath}sp/am/spam`)).body.toString()).toBe(
      `${lines.join("\n")}\n`,
    );
    expect((await ask(again, `${replayed.cratesPath}eg/gs/eggs`)).status).toBe(404);
    const notThen = await ask(again, `${replayed.cratesPath}dl/spam/2.0.0/${"0".repeat(64)}`);
    expect([notThen.status, notThen.body.toString()]).toEqual([
      502,
      expect.stringContaining("spam 2.0.0: was not fetched then"),
    ]);
    // An older record tells only of what was fetched.
    const third = join(directory, "three.sock");
    await using old = await service.openEndpoint({
      socketPath: third,
      attemptId: "a3",
      replay: { ...record, crateIndex: [] },
    });
    expect((await ask(third, `${old.cratesPath}sp/am/spam`)).body.toString()).toBe(`${lines[0]}\n`);
    expect(
      (await ask(again, `${replayed.cratesPath}dl/spam/1.0.0/${cksum}`)).body.equals(crate),
    ).toBe(true);
    expect(asked).toHaveLength(before);
    // One that is kept no more is had again by its hash, as long as the index has it.
    const kept = await service.keptFile(cksum);
    await rm(kept?.path ?? "");
    const [wanted] = record.crates;
    if (wanted === undefined) throw new Error("no crate");
    const { signal } = new AbortController();
    expect((await service.fetchCrate(wanted, signal)).path).toBe(kept?.path);
    await expect(
      service.fetchCrate({ ...wanted, sha256: "1".repeat(64) }, signal),
    ).rejects.toMatchObject({ code: "upstream", input: "spam 1.0.0" });
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
});

function ask(
  socketPath: string,
  path: string,
): Promise<{ status: number; body: Buffer; whole: boolean }> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent: false, headers: { host: "localhost" } }, (incoming) => {
      const body = buffer(incoming).catch(() => Buffer.alloc(0));
      incoming.on(
        "close",
        () =>
          void body.then((content) =>
            resolve({ status: incoming.statusCode ?? 0, body: content, whole: incoming.complete }),
          ),
      );
    }).on("error", reject);
  });
}
