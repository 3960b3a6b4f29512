import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { freePort } from "../../../test/free-port.ts";
import { cargoStamp } from "../../index/upstream/cargo-configuration.ts";
import type { Finding } from "./finding.ts";
import { upstreamFindings, type UpstreamQuestion } from "./upstream.ts";

let server: Server;
let directory = "";
let status = 200;
const asked: { url: string | undefined; authorization: string | undefined }[] = [];
const origin = (): string => {
  const address = server.address();
  return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : "";
};

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "doctor-upstream-"));
  mkdirSync(join(directory, "bin"));
  status = 200;
  asked.length = 0;
  server = createServer(({ url, headers: { authorization } }, response) => {
    asked.push({ url, authorization });
    response.writeHead(status).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

/** On a host with no pip and no cargo but those that are planted. */
function findings(
  settings: UpstreamQuestion["settings"],
  more: Partial<UpstreamQuestion> = {},
): Promise<Finding[]> {
  const env = { PATH: join(directory, "bin"), HOME: directory };
  const signal = new AbortController().signal;
  return upstreamFindings({ settings, allow: [], env, directory, imageId: null, signal, ...more });
}

describe("the index", () => {
  test("is asked with its credentials, which are never shown", async () => {
    const found = await findings({ index: `http://token:s%3Acret@${origin()}/root/simple` });
    expect(found).toMatchObject([{ name: "index", state: "ok" }]);
    expect(asked).toEqual([
      {
        url: "/root/simple/pip/",
        authorization: `Basic ${Buffer.from("token:s:cret").toString("base64")}`,
      },
    ]);
    expect(found[0]?.detail).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/root\/simple\/ \(with credentials\) answers in \d+ ms$/u,
    );
    expect(JSON.stringify(found)).not.toMatch(/token|cret/u);
  });

  test("that lacks the one project is there all the same", async () => {
    status = 404;
    expect(await findings({ index: `http://${origin()}/simple/` })).toMatchObject([
      { state: "ok" },
    ]);
  });

  test("that answers with a fault, or not at all, is a lack", async () => {
    status = 500;
    const [fault] = await findings({ index: `http://${origin()}/simple/` });
    expect(fault).toMatchObject({ name: "index", state: "lacks" });
    expect(fault?.detail).toMatch(/simple\/ answers 500$/u);
    const [finding] = await findings({ index: `http://a:b@127.0.0.1:${await freePort()}/simple/` });
    expect(finding).toMatchObject({ name: "index", state: "lacks" });
    expect(finding?.detail).toContain("can't be reached");
    expect(finding?.detail).not.toContain("a:b");
    expect(finding?.nextStep).toContain("pip config list");
  });

  test("is asked along with the extra ones, in their order", async () => {
    const base = `http://${origin()}`;
    const found = await findings({ index: `${base}/main/`, extra: [`${base}/own/`] });
    expect(found.map(({ name, detail }) => `${name} ${detail.split("/")[3]}`)).toEqual([
      "extra index own",
      "index main",
    ]);
  });

  test("that no pip names is a lack, with what to do about it", async () => {
    expect(await findings({})).toEqual([
      {
        name: "index",
        state: "lacks",
        detail: "this host has no pip that says which index it uses",
        nextStep: "install python3-pip, or name the index in creamery.toml as upstreams.index",
      },
    ]);
  });

  test("that is no address shows nothing of it", async () => {
    const found = await findings({ index: "user:s3cret" });
    expect(found).toMatchObject([{ state: "lacks" }]);
    expect(JSON.stringify(found)).not.toContain("s3cret");
  });
});

describe("the index of crates", () => {
  const crates = async (
    settings: UpstreamQuestion["settings"],
    more?: Partial<UpstreamQuestion>,
  ): Promise<Finding | undefined> => {
    const found = await findings({ index: `http://${origin()}/simple/`, ...settings }, more);
    expect(found.filter(({ state }) => state === "lacks")).toEqual([]);
    return found.find(({ name }) => name === "crates index");
  };

  test("is named as creamery.toml says it, without credentials", async () => {
    const note = { name: "crates index", state: "note", detail: "https://c.example/sub/" };
    expect(await crates({ crates: "sparse+https://user:s3cret@c.example/sub/" })).toEqual(note);
  });

  test("is named as the host's cargo says it, else as the image's said it once", async () => {
    expect(await crates({})).toBeUndefined();
    const kept = ["image", cargoStamp(null), "https://image.example/", ""].join("\n");
    writeFileSync(join(directory, "crates-index-of-image"), kept);
    expect(await crates({})).toBeUndefined();
    expect(await crates({}, { imageId: "image" })).toMatchObject({
      detail: "https://image.example/",
    });
    const script =
      "#!/bin/sh\necho 'failed to download from `https://host.example/config.json`' >&2\n";
    writeFileSync(join(directory, "bin/cargo"), script, { mode: 0o755 });
    expect(await crates({}, { imageId: "image" })).toMatchObject({
      detail: "https://host.example/",
    });
  });

  test("is a note whatever is wrong with it", async () => {
    mkdirSync(join(directory, ".cargo"));
    writeFileSync(join(directory, ".cargo/config.toml"), "token = 's3cret");
    const stamp = cargoStamp("token = 's3cret");
    writeFileSync(
      join(directory, "crates-index-of-image"),
      `image\n${stamp}\nhttps://c.example/\n`,
    );
    const note = await crates({}, { imageId: "image" });
    expect(note?.state).toBe("note");
    expect(note?.detail).toMatch(/is no TOML/u);
    expect(JSON.stringify(note)).not.toContain("s3cret");
  });
});
