import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";
import { expect, test } from "vitest";

import { makeCertificate } from "../../test/upstream/https-server.ts";
import { addressPolicy, isPublicAddress } from "./guarded-address.ts";
import { guardedFetch } from "./guarded-fetch.ts";

test.each([
  "127.0.0.1",
  "10.1.2.3",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.1.1",
  "169.254.169.254",
  "100.64.0.1",
  "0.0.0.0",
  "255.255.255.255",
  "224.0.0.1",
  "::",
  "::1",
  "fe80::1",
  "fe80::1%eth0",
  "fc00::1",
  "fd12::1",
  "ff02::1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:a00:1",
  "64:ff9b::7f00:1",
  "2001:db8::1",
  "2002:7f00:1::",
  "::127.0.0.1",
  "[::1]",
  "localhost",
  "",
])("%s is refused", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each(["8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "::ffff:808:808"])(
  "%s is public",
  (address) => {
    expect(isPublicAddress(address)).toBe(true);
  },
);

test("an IPv4 address and the same mapped into IPv6 are judged alike", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(isPublicAddress(`::ffff:${address}`)).toBe(isPublicAddress(address));
    }),
  );
  expect.hasAssertions();
});

test("the operator's networks are allowed, and nothing beside them", () => {
  const policy = addressPolicy(["10.2.0.0/16", "forge.example", "fd00::/8"]);
  expect(policy.allowsAddress("10.2.3.4")).toBe(true);
  expect(policy.allowsAddress("10.3.3.4")).toBe(false);
  expect(policy.allowsAddress("fd12::1")).toBe(true);
  expect(policy.allowsHost("Forge.example")).toBe(true);
  expect(() => addressPolicy(["not a host"])).toThrow(/no host/u);
  expect(() => addressPolicy(["10.0.0.0/99"])).toThrow(/prefix/u);
});

test.each([
  ["http://index.example/x", /no https/u],
  ["file:///etc/passwd", /no https/u],
  ["https://user:secret@index.example/x", /credentials/u],
  ["https://127.0.0.1:1/x", /no address of the public internet/u],
  ["https://[::ffff:127.0.0.1]:1/x", /no address of the public internet/u],
  ["https://2130706433/", /no address of the public internet/u],
  // Resolved by the system: the socket's own lookup refuses what comes back.
  ["https://localhost:1/x", /no address of the public internet/u],
])("%s is refused before anything is sent", async (url, reason) => {
  const fetched = guardedFetch(url, {
    signal: new AbortController().signal,
    timeoutMs: 60_000,
    maxBytes: 1000,
  });
  const failure: unknown = await fetched.catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({ code: "address-refused" });
  expect(String(failure)).toMatch(reason);
  await expect(fetched).rejects.toThrow(reason);
});

test("where its headers are all that is wanted, an answer without end is not read", async () => {
  const root = mkdtempSync(join(tmpdir(), "creamery-guarded-"));
  const [keyFile, caFile] = makeCertificate(root);
  const ca = readFileSync(caFile, "utf8");
  const server = createServer({ key: readFileSync(keyFile), cert: ca }, (_, response) => {
    const more = (): void => void response.write(Buffer.alloc(1 << 16), more);
    more();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const answer = await guardedFetch(`https://127.0.0.1:${address.port}/x`, {
    signal: new AbortController().signal,
    timeoutMs: 60_000,
    maxBytes: 0,
    headersOnly: true,
    allow: ["127.0.0.1"],
    ca,
  });
  expect(answer).toMatchObject({ status: 200, body: Buffer.alloc(0) });
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});
