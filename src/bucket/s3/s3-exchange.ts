import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";

import { authoritiesWith } from "../../base/authorities.ts";

/** Nothing comes or goes for so long: the connection is dead. */
const SILENCE_MS = 30_000;
const MAX_TEXT_BYTES = 8 * 1024 * 1024;
const TEXT_MS = 120_000;

export interface Exchange {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  /** Must be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

/** Connections to one server. Raw: `fetch` would unpack what is stored compressed, and count other bytes than were sent. */
export class S3Connections implements Disposable {
  readonly #http = new HttpAgent({ keepAlive: true, maxSockets: 16 });
  readonly #https: HttpsAgent;

  constructor(authority: string | undefined) {
    this.#https = new HttpsAgent({
      keepAlive: true,
      maxSockets: 16,
      ...(authority === undefined ? {} : { ca: authoritiesWith(authority) }),
    });
  }

  /** One request, one answer. @throws what the network says. */
  async exchange({ method, url, headers, body, signal }: Exchange): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      const secure = url.protocol === "https:";
      const outgoing = (secure ? httpsRequest : httpRequest)(
        url,
        {
          method,
          headers: {
            ...headers,
            ...(method === "PUT" || method === "POST" ? { "content-length": body.length } : {}),
          },
          agent: secure ? this.#https : this.#http,
          timeout: SILENCE_MS,
          signal,
        },
        (incoming) => {
          // Whoever reads hears of it through the stream; nobody may be reading yet.
          incoming.on("error", () => undefined);
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming });
        },
      );
      outgoing.on("timeout", () => outgoing.destroy(new Error("the server is silent")));
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** A short answer, whole. @throws where it is cut short, late, or larger than any that is meant. */
export async function textOf({ body }: Answer): Promise<string> {
  let size = 0;
  const late = setTimeout(() => body.destroy(new Error("the answer took too long")), TEXT_MS);
  body.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_TEXT_BYTES) body.destroy(new Error("the answer is too large"));
  });
  const whole = await buffer(body).finally(() => clearTimeout(late));
  if (!body.complete) throw new Error("the answer was cut short");
  return whole.toString("utf8");
}
