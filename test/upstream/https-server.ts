import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

/** A request as it came, whole. */
export interface SeenRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface GivenAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
  /** The connection breaks off in its place. */
  readonly cut?: boolean;
}

export interface HttpsServer extends AsyncDisposable {
  /** `https://127.0.0.1:PORT` */
  readonly origin: string;
  /** PEM of the authority behind its certificate. */
  readonly ca: string;
}

/** A server behind TLS on a free port, with a certificate of its own. */
export async function startHttps(
  answer: (request: SeenRequest) => GivenAnswer | Promise<GivenAnswer>,
): Promise<HttpsServer> {
  const root = mkdtempSync(join(tmpdir(), "creamery-https-"));
  const [keyFile, certFile] = makeCertificate(root);
  const ca = readFileSync(certFile, "utf8");
  const server = createServer({ key: readFileSync(keyFile), cert: ca }, (request, response) => {
    void text(request)
      .then(async (body) => {
        const { method = "", url: path = "", headers } = request;
        const one: Record<string, string> = {};
        for (const [name, value] of Object.entries(headers)) one[name] = String(value);
        const given = await answer({ method, path, headers: one, body });
        if (given.cut === true) return void request.socket.destroy();
        const told = typeof given.body === "string" ? given.body : JSON.stringify(given.body ?? {});
        response
          .writeHead(given.status, { "content-type": "application/json", ...given.headers })
          .end(given.status === 204 ? undefined : told);
      })
      .catch((thrown: unknown) => response.writeHead(599).end(String(thrown)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    origin: `https://127.0.0.1:${address.port}`,
    ca,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** @returns the files of its key and of itself. */
export function makeCertificate(root: string): readonly [key: string, certificate: string] {
  const [key, certificate] = [join(root, "key.pem"), join(root, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  const form = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...form, ...subject, "-keyout", key, "-out", certificate], {
    stdio: "ignore",
  });
  return [key, certificate];
}
