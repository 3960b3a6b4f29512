import { request, type IncomingHttpHeaders } from "node:http";

/** What a client got, also where it was cut off. */
export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly whole: boolean;
}

/** One request of an endpoint, on a connection of its own. */
export function askSocket(
  socketPath: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = { socketPath, path, headers, method, agent: false } as const;
    const outgoing = request(asked, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", () => undefined);
      incoming.on("close", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: Buffer.concat(chunks),
          whole: incoming.complete,
        }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}
