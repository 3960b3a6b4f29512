import { chmodSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { inspect } from "node:util";

import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";

import { temporaryDirectory } from "../../test/owned.ts";
import { CreameryError } from "../base/errors.ts";
import { problemOf, PROBLEM_TYPE } from "../base/problem.ts";
import { apiAddress, readFarmAddress } from "./farm-address.ts";
import { FarmClient, openFarmClient } from "./farm-client.ts";

const signal = new AbortController().signal;
const QUICK = { retries: 3, firstPauseMs: 1, longestPauseMs: 2 };
const TOKEN = "worker-token-0123456789abcdef";
function tokenFile(text = `${TOKEN}\n`, mode = 0o640): string {
  const directory = temporaryDirectory("farm");
  const path = join(directory, "token");
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** A farm that answers so, and says what it was asked. */
async function farm(
  answer: (request: IncomingMessage, response: ServerResponse, turn: number) => void,
): Promise<{ url: string; asked: string[]; client: FarmClient }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    answer(request, response, asked.length);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const client = await openFarmClient({ url, tokenFile: tokenFile() }, QUICK);
  onTestFinished(async () => client[Symbol.dispose]());
  return { url, asked, client };
}

function tell(response: ServerResponse, fault: CreameryError, status?: number): void {
  const problem = problemOf(fault, status);
  response.writeHead(problem.status, { "content-type": PROBLEM_TYPE }).end(JSON.stringify(problem));
}

test("a token goes over https alone, and over http within this machine", () => {
  expect(apiAddress("https://farm.example")).toBe("https://farm.example/api/v1/");
  expect(apiAddress("https://farm.example/creamery?x=1")).toBe(
    "https://farm.example/creamery/api/v1/",
  );
  for (const host of ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.1.2.3"])
    expect(apiAddress(`http://${host}/`)).toBe(`http://${host}/api/v1/`);
  for (const text of [
    "http://farm.example/",
    "http://10.0.0.1/",
    "http://127.0.0.1.farm.example/",
    "ftp://127.0.0.1/",
    "https://me:secret@farm.example/",
    "farm.example",
  ]) {
    expect(() => apiAddress(text), text).toThrow(CreameryError);
    expect(() => apiAddress(text), text).not.toThrow(/secret/u);
  }
});

test("a token file that everybody may read, or that holds no token, is refused and not shown", async () => {
  const url = "https://farm.example/";
  await expect(readFarmAddress({ url, tokenFile: tokenFile(TOKEN, 0o644) })).rejects.toThrow(
    /everybody may read/u,
  );
  for (const text of ["", "two words of secret", "short"])
    await expect(readFarmAddress({ url, tokenFile: tokenFile(text) })).rejects.toMatchObject({
      code: "configuration-file",
      message: "holds no token of a worker",
    });
  await expect(readFarmAddress({ url, tokenFile: "/nonexistent/token" })).rejects.toMatchObject({
    code: "configuration-file",
    input: "/nonexistent/token",
  });
  const read = await readFarmAddress({ url, tokenFile: tokenFile() });
  expect(inspect(read) + JSON.stringify(read)).not.toContain(TOKEN);
});

test("the token is sent in a header, and what the farm answers is parsed", async () => {
  const { client, asked } = await farm((request, response) =>
    response.end(JSON.stringify({ you: request.headers.authorization })),
  );
  const schema = z.strictObject({ you: z.string() });
  expect(await client.json({ path: "whoami", signal }, schema)).toEqual({ you: `Bearer ${TOKEN}` });
  expect(asked).toEqual(["GET /api/v1/whoami"]);
  await expect(client.json({ path: "whoami", signal }, z.array(z.string()))).rejects.toMatchObject({
    code: "upstream",
  });
});

test("what failed for the moment is asked again, a body from its start", async () => {
  const bodies: string[] = [];
  const { client, asked } = await farm((request, response, turn) => {
    if (turn === 1) return void request.socket.destroy();
    void buffer(request).then((body) => {
      bodies.push(body.toString());
      if (turn === 2) response.writeHead(503, { "retry-after": "0" }).end();
      else response.end("{}");
    });
  });
  async function* content(): AsyncGenerator<Buffer> {
    yield Buffer.from("one ");
    yield Buffer.from("two");
  }
  using answered = await client.request({ method: "PUT", path: "x", body: content, signal });
  expect(answered.status).toBe(200);
  expect(asked).toHaveLength(3);
  expect(bodies).toEqual(["one two", "one two"]);
});

test("an answer that breaks off is asked for again, and a POST's is not", async () => {
  const { client, asked } = await farm((request, response, turn) => {
    response.writeHead(200, { "content-length": 100 }).write("{", () => {
      if (turn < 3 || request.method === "POST") request.socket.destroy();
      else response.end(`}${" ".repeat(98)}`);
    });
  });
  expect(await client.json({ path: "x", signal }, z.strictObject({}))).toEqual({});
  expect(asked).toHaveLength(3);
  await expect(
    client.json({ method: "POST", path: "x", signal }, z.strictObject({})),
  ).rejects.toMatchObject({ code: "no-network" });
  expect(asked).toHaveLength(4);
});

test("a POST of which nobody knows what became is not made again, unless it says that it may", async () => {
  const { client, asked } = await farm((request) => request.socket.destroy());
  const post = { method: "POST", path: "claim", signal } as const;
  await expect(client.request(post)).rejects.toMatchObject({ code: "no-network" });
  expect(asked).toHaveLength(1);
  await expect(client.request({ ...post, idempotent: true })).rejects.toMatchObject({
    code: "no-network",
  });
  expect(asked).toHaveLength(1 + 1 + QUICK.retries);
});

test("what the farm says is wrong is thrown as it says it, at once", async () => {
  const fault = new CreameryError("unknown-image", "there is no such image", { input: "x" });
  const { client, asked } = await farm((_request, response) => tell(response, fault));
  await expect(client.request({ path: "images/x", signal })).rejects.toMatchObject({
    code: "unknown-image",
    message: "there is no such image",
    input: "x",
  });
  expect(asked).toHaveLength(1);
});

test("a refused token is named as that, and so is an answer that is none of the farm's", async () => {
  const statuses = [401, 403, 302, 418];
  const { client } = await farm((_request, response, turn) =>
    response.writeHead(statuses[turn - 1] ?? 500, { location: "http://127.0.0.1:1/" }).end("no"),
  );
  for (const code of ["farm-refused", "farm-refused", "upstream", "upstream"])
    await expect(client.request({ path: "x", signal })).rejects.toMatchObject({ code });
});

test("a wait for another try ends when it is not wanted any more", async () => {
  const { url } = await farm((_request, response) => response.writeHead(503).end());
  const slow = { retries: 5, firstPauseMs: 600_000, longestPauseMs: 600_000 };
  using client = await openFarmClient({ url, tokenFile: tokenFile() }, slow);
  const abort = new AbortController();
  const asked = client.request({ path: "x", signal: abort.signal });
  setTimeout(() => abort.abort(new CreameryError("interrupted", "enough")), 50);
  await expect(asked).rejects.toThrow(/enough/u);
});

test("what is no fault of the table tells the other side nothing of its words", () => {
  const problem = problemOf(new Error("password is hunter2"));
  expect(problem).toMatchObject({ status: 500, code: "internal" });
  expect(JSON.stringify(problem)).not.toContain("hunter2");
});
