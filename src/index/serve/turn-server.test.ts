import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";

import { CreameryError } from "../../base/errors.ts";
import { sendText, type Exchange } from "./exchange.ts";
import { DEFAULT_TURNS } from "./request-turns.ts";
import { TurnServer, type TurnServerOptions } from "./turn-server.ts";

async function serving(
  route: (exchange: Exchange) => Promise<void>,
  options: Partial<TurnServerOptions> = {},
) {
  const faults: CreameryError[] = [];
  const turnedAway: string[] = [];
  const server = new TurnServer(
    {
      route,
      fault: (fault) => faults.push(fault),
      turnedAway: (path) => turnedAway.push(path),
    },
    { turns: DEFAULT_TURNS, connections: 10, ended: "it is over", ...options },
  );
  onTestFinished(() => server.close());
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  return { server, faults, turnedAway, port: port ?? 0, url: `http://127.0.0.1:${port}` };
}

test.each([
  [new CreameryError("upstream", "the index is mad"), 502, "upstream", "the index is mad"],
  [new CreameryError("deadline", "took too long"), 504, "deadline", "took too long"],
  [new TypeError("planted"), 502, "internal", "planted"],
])("%s is a line to the client, and told", async (thrown, status, code, line) => {
  const { url, faults } = await serving(async ({ response }) => {
    response.setHeader("content-encoding", "gzip");
    throw thrown;
  });
  const answer = await fetch(url);
  expect([answer.status, answer.headers.get("content-encoding")]).toEqual([status, null]);
  expect(await answer.text()).toContain(line);
  expect(faults).toMatchObject([{ code }]);
});

test("what fails in the middle is cut off, never ended as if it were whole", async () => {
  const { url, faults } = await serving(async ({ response }) => {
    response.writeHead(200).write("half");
    await sleep(20);
    throw new CreameryError("upstream", "broke off");
  });
  const answer = await fetch(url);
  await expect(answer.text()).rejects.toThrow("terminated");
  expect(faults).toMatchObject([{ code: "upstream" }]);
});

test("a connection on which nothing moves is ended, and its answer with it", async () => {
  const aborted = Promise.withResolvers<void>();
  const { port, faults } = await serving(
    async ({ signal }) => {
      await once(signal, "abort");
      aborted.resolve();
    },
    // Not so short that it is over before the request has come.
    { stalledMs: 1000 },
  );
  const socket = connect(port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await once(socket, "close");
  await aborted.promise;
  expect(faults).toEqual([]);
});

test("told to stop, it lets what runs end for so long, and cuts off what takes longer", async () => {
  const come: string[] = [];
  const ends = Promise.withResolvers<void>();
  const { url, server } = await serving(async ({ path, response, signal }) => {
    come.push(path);
    await (path === "/quick" ? ends.promise : once(signal, "abort"));
    if (path === "/quick") sendText(response, 200, "done");
  });
  const quick = fetch(`${url}/quick`);
  const slow = fetch(`${url}/slow`).catch((thrown: unknown) => thrown);
  await expect.poll(() => come).toHaveLength(2);
  const closed = server.close(1000);
  ends.resolve();
  await closed;
  expect(await (await quick).text()).toBe("done\n");
  expect(await slow).toBeInstanceOf(TypeError);
});

test("a connection on which too many wait is ended, and that is told", async () => {
  const { port, turnedAway } = await serving(({ signal }) => once(signal, "abort").then(() => {}), {
    turns: { running: 1, waitingPerConnection: 2, waiting: 100 },
  });
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write("GET /x?secret HTTP/1.1\r\nhost: x\r\n\r\n".repeat(5));
  await once(socket, "close");
  expect(turnedAway).toContain("/x");
});
