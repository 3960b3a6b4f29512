import { once } from "node:events";
import { createServer, request as ask } from "node:http";

/** What stands before an upstream and passes everything on, one path only once the door is opened. */
export async function openSlowDoor(
  to: string,
  slow: string,
  opened: Promise<void>,
): Promise<AsyncDisposable & { readonly origin: string }> {
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const { host: _host, ...headers } = request.headers;
    const isHeld = path === slow && headers.range === undefined;
    void (isHeld ? opened : Promise.resolve()).then(() => {
      const passed = ask(`${to}${path}`, { headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      passed.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
