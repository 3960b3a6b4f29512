import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";

import { describe, expect, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { pingOnce, runDeadMansSwitch } from "./dead-mans-switch.ts";

const SECRET_PATH = "/ping/0f3a-secret";

async function listening(answer: RequestListener) {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}${SECRET_PATH}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Runs as many rounds as are given: why the farm is in trouble, and what its ping comes to. */
async function rounds(
  script: readonly { readonly trouble?: string; readonly fault?: string }[],
): Promise<string[]> {
  const told: string[] = [];
  const ends = new AbortController();
  let round = 0;
  await runDeadMansSwitch(
    {
      url: "http://ping.example/1",
      everyMs: 300_000,
      trouble: async () => script[round]?.trouble ?? null,
      ping: async () => {
        told.push("ping");
        const fault = script[round]?.fault;
        if (fault !== undefined) throw new Error(fault);
      },
      onFault: (reason) => told.push(`fault: ${reason}`),
      onSilence: (reason) => told.push(`silent: ${reason}`),
      pause: async (ms) => {
        expect(ms).toBe(300_000);
        if (++round === script.length) ends.abort();
      },
    },
    ends.signal,
  );
  return told;
}

describe("a dead-man's switch", () => {
  test("pings while all is well, is silent while it is not, and tells each once", async () => {
    expect(
      await rounds([{}, { trouble: "the store is away" }, { trouble: "the store is away" }, {}]),
    ).toEqual(["ping", "silent: the store is away", "silent: null", "ping"]);
  });

  test("tells once that pings fail, and goes on", async () => {
    expect(await rounds([{ fault: "a" }, { fault: "b" }, {}])).toEqual([
      "ping",
      "fault: a",
      "ping",
      "ping",
      "fault: null",
    ]);
  });

  test("is silent where nobody can say how the farm is", async () => {
    const told: (string | null)[] = [];
    const ends = new AbortController();
    await runDeadMansSwitch(
      {
        url: "http://ping.example/1",
        everyMs: 1,
        trouble: () => Promise.reject(new Error("nobody knows")),
        ping: () => Promise.reject(new Error("was asked all the same")),
        onFault: (reason) => told.push(reason),
        onSilence: (reason) => told.push(reason),
        pause: async () => ends.abort(),
      },
      ends.signal,
    );
    expect(told).toEqual(["nobody knows"]);
  });
});

describe("a ping", () => {
  const never = new AbortController().signal;

  test("asks the operator's own address, a private one too, once", async () => {
    const seen: string[] = [];
    await using server = await listening(({ method, url }, response) => {
      seen.push(`${method} ${url}`);
      response.end("OK");
    });
    await pingOnce(server.url, undefined, never);
    expect(seen).toEqual([`GET ${SECRET_PATH}`]);
  });

  test.each<[string, RequestListener, RegExp]>([
    ["an error", (_, response) => response.writeHead(500).end(), /answered 500/u],
    [
      "a redirect, which is not followed",
      (_, response) => response.writeHead(302, { location: "http://127.0.0.1:9/" }).end(),
      /answered 302/u,
    ],
    [
      "an answer without end",
      (_, response) => {
        const more = (): boolean => response.write("x".repeat(32 << 10), () => setImmediate(more));
        more();
      },
      /too large/u,
    ],
    ["a cut connection", (request) => request.socket.destroy(), /could not be asked/u],
  ])("fails by %s, and names no path", async (_what, answer, reason) => {
    await using server = await listening(answer);
    const failed: unknown = await pingOnce(server.url, undefined, never).catch(
      (thrown: unknown) => thrown,
    );
    if (!(failed instanceof CreameryError)) throw new Error("it did not fail");
    expect(failed.line).toMatch(reason);
    expect(failed.line).not.toContain("secret");
  });

  test("that is not answered ends with its signal", async () => {
    await using server = await listening(() => undefined);
    const ends = new AbortController();
    const ping = pingOnce(server.url, undefined, ends.signal);
    ends.abort();
    await expect(ping).rejects.toMatchObject({ code: "deadline" });
  });
});
