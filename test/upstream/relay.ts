import { once } from "node:events";
import { createConnection, createServer } from "node:net";

export interface Relay extends AsyncDisposable {
  readonly port: number;
}

/** What a guest's relay does: TCP on loopback to the endpoint's socket. */
export async function startRelay(socketPath: string): Promise<Relay> {
  const server = createServer((client) => {
    const inner = createConnection(socketPath);
    client.pipe(inner).pipe(client);
    client.on("error", () => inner.destroy());
    inner.on("error", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}
