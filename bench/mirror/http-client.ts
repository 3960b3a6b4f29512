import { Agent, request } from "node:http";

import { z } from "zod";

/** The client of a bench, in a process of its own: what it costs is no cost of a server that shares the bench's. */

export const Asked = z.object({
  origin: z.string(),
  /** Asked for by turns. */
  paths: z.array(z.string()),
  headers: z.record(z.string(), z.string()),
  connections: z.number(),
  requests: z.number(),
});
export type Asked = z.infer<typeof Asked>;

export const Answer = z.union([
  z.object({
    seconds: z.number(),
    bytes: z.number(),
    /** Of each request, in milliseconds, to its last byte. */
    latencies: z.array(z.number()),
  }),
  z.object({ fault: z.string() }),
]);

process.on("message", (message: unknown) => void answer(Asked.parse(message)));

async function answer(asked: Asked): Promise<void> {
  const done = await load(asked).catch((thrown: unknown) => ({ fault: String(thrown) }));
  process.send?.(done);
}

async function load({ origin, paths, headers, connections, requests }: Asked) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let [bytes, next] = [0, 0];
  const began = performance.now();
  const one = async (): Promise<void> => {
    while (next < requests) {
      const path = paths[next++ % paths.length] ?? "/";
      const asked = performance.now();
      bytes += await fetchWhole(`${origin}${path}`, headers, agent);
      latencies.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  return { seconds, bytes, latencies };
}

/** @returns how many bytes came. @throws for any status but 200, and an answer that breaks off. */
function fetchWhole(url: string, headers: Record<string, string>, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const outgoing = request(url, { agent, headers }, (incoming) => {
      incoming.on("data", (chunk: Buffer) => (bytes += chunk.length));
      incoming.on("error", reject);
      incoming.on("end", () => {
        if (incoming.statusCode === 200) resolve(bytes);
        else reject(new Error(`${incoming.statusCode} for ${url}`));
      });
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
