import { BlockList } from "node:net";
import { once } from "node:events";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import { expect, test } from "vitest";

import { peerOf } from "./peer-of.ts";

async function ask(trusted: readonly string[], headers: Record<string, string>): Promise<unknown> {
  const proxies = new BlockList();
  for (const address of trusted) proxies.addAddress(address);
  const app = new Hono();
  app.get("/", (context) => context.json(peerOf(proxies)(context)));
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const bound = server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    return await (await fetch(`http://127.0.0.1:${port}/`, { headers })).json();
  } finally {
    server.close();
  }
}

const forwarded = { "x-forwarded-for": "198.51.100.9, 192.0.2.1", "x-forwarded-proto": "https" };

test("who comes itself is who it is, whatever it says", async () => {
  expect(await ask([], forwarded)).toEqual({ address: "127.0.0.1", encrypted: false });
});

test("a proxy that is trusted says who its client is, and whether it came encrypted", async () => {
  expect(await ask(["127.0.0.1"], forwarded)).toEqual({ address: "192.0.2.1", encrypted: true });
  expect(await ask(["127.0.0.1", "192.0.2.1"], forwarded)).toEqual({
    address: "198.51.100.9",
    encrypted: true,
  });
});

test("what a trusted proxy does not say is not so", async () => {
  expect(await ask(["127.0.0.1"], {})).toEqual({ address: "127.0.0.1", encrypted: false });
  expect(
    await ask(["127.0.0.1"], { "x-forwarded-for": "nobody", "x-forwarded-proto": "https, http" }),
  ).toEqual({ address: "127.0.0.1", encrypted: false });
});

test("without a server there is nobody, and nothing is encrypted", () => {
  const app = new Hono();
  app.get("/", (context) => context.json(peerOf(new BlockList())(context)));
  return expect(Promise.resolve(app.request("/")).then((answer) => answer.json())).resolves.toEqual(
    { address: "", encrypted: false },
  );
});
