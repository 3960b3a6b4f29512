import { request } from "node:http";

import { z } from "zod";

/** The client of a bench, in a process of its own: what it costs is no cost of a server that shares the bench's. */

const Asked = z.object({ socketPath: z.string(), path: z.string(), sizeBytes: z.number() });

process.on("message", (message: unknown) => {
  const { socketPath, path, sizeBytes } = Asked.parse(message);
  fetchSpeed(socketPath, path, sizeBytes).then(
    (speed) => process.send?.({ speed }),
    (thrown: unknown) => process.send?.({ fault: String(thrown) }),
  );
});

/** MB (10^6 bytes) a second, from the request to the last byte. @throws when it is not the whole file. */
function fetchSpeed(socketPath: string, path: string, sizeBytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    let bytes = 0;
    const outgoing = request(
      { socketPath, path, agent: false, headers: { host: "localhost" } },
      (incoming) => {
        incoming.on("data", (chunk: Buffer) => (bytes += chunk.length));
        incoming.on("error", reject);
        incoming.on("end", () => {
          if (incoming.statusCode !== 200 || bytes !== sizeBytes)
            reject(new Error(`${incoming.statusCode} and ${bytes} bytes of ${path}`));
          else resolve(bytes / 1000 / (performance.now() - started));
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end();
  });
}
