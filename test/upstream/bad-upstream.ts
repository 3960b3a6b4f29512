import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** An index whose answers a test writes itself, byte by byte where it wants to: the honest one stands beside it. */

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface BadUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT/simple/` */
  readonly url: string;
  readonly requests: string[];
  /** By the beginning of a path, the first that fits; 404 where none does. May be changed at any time. */
  answers: readonly (readonly [string, Answer])[];
}

/** @param port of a test in which it goes away: one that nobody is given after it (`freePort`). */
export async function startBadUpstream(
  answers: BadUpstream["answers"],
  port = 0,
): Promise<BadUpstream> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(`${request.method ?? ""} ${path}`);
    response.on("error", () => undefined);
    const found = started.answers.find(([begins]) => path.startsWith(begins));
    if (found === undefined) response.writeHead(404).end();
    else found[1](request, response);
  });
  server.on("clientError", (_error, socket) => socket.destroy());
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const started: BadUpstream = {
    url: `http://127.0.0.1:${address.port}/simple/`,
    requests,
    answers,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return started;
}

export const PAGE_TYPE = "application/vnd.pypi.simple.v1+json";

/** The whole body with its true length. */
export function sends(
  body: Buffer | string,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): Answer {
  return (_request, response) => {
    const content = Buffer.from(body);
    response.writeHead(status, { "content-length": content.length, ...headers }).end(content);
  };
}

/** An honest file: whole, or a range of it. */
export function sendsFile(content: Buffer): Answer {
  return (request, response) => {
    const [, first = "", last = ""] =
      /^bytes=(\d*)-(\d*)$/u.exec(request.headers.range ?? "") ?? [];
    if (first === "" && last === "") return sends(content)(request, response);
    const from = first === "" ? Math.max(0, content.length - Number(last)) : Number(first);
    const to = first === "" || last === "" ? content.length : Number(last) + 1;
    const range = `bytes ${from}-${Math.min(to, content.length) - 1}/${content.length}`;
    return sends(content.subarray(from, to), { "content-range": range }, 206)(request, response);
  };
}

export function sendsPage(page: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return sends(JSON.stringify(page), { "content-type": PAGE_TYPE, ...headers });
}

/** A file's row of an honest page. */
export function rowOf(
  filename: string,
  content: Buffer,
  more: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    filename,
    url: `/packages/${filename}`,
    hashes: { sha256: createHash("sha256").update(content).digest("hex") },
    size: content.length,
    "upload-time": "2026-01-02T03:04:05.000000Z",
    ...more,
  };
}

/** What HTTP has no words for. */
export function sendsRaw(head: string, body: Buffer | string = "", thenCuts = true): Answer {
  return ({ socket }) => {
    socket.write(head.replaceAll("\n", "\r\n"));
    socket.write(body, () => {
      if (thenCuts) setTimeout(() => socket.destroy(), 20);
    });
  };
}
