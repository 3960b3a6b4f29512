import { once } from "node:events";
import { Server as HttpServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

import { serve as serveHono } from "@hono/node-server";
import type { Hono } from "hono";

import { CreameryError, reasonOf } from "../../base/errors.ts";
import type { ListenPlace } from "../../model/config/service-table.ts";
import type { FarmEnv } from "../../web/farm-app.ts";

export interface Serving extends AsyncDisposable {
  /** `http://127.0.0.1:8440` */
  readonly url: string;
}

export interface TlsText {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

/** For so long requests may go on when the farm is told to stop. */
const STOP_MS = 2000;

/** Listens. @throws CreameryError `host-lacks` where that place is taken or can't be listened at. */
export async function serveFarm(
  app: Hono<FarmEnv>,
  { host, port }: ListenPlace,
  tls: TlsText | null,
): Promise<Serving> {
  const server = serveHono({
    fetch: app.fetch,
    hostname: host,
    port,
    ...(tls === null ? {} : { createServer: createTlsServer, serverOptions: { ...tls } }),
  });
  const shown = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  try {
    await Promise.race([
      once(server, "listening"),
      once(server, "error").then(([error]) => Promise.reject(error)),
    ]);
  } catch (cause) {
    throw new CreameryError("host-lacks", `${shown} can't be listened at: ${reasonOf(cause)}`, {
      input: shown,
      nextStep: "end what listens there, or set [farm] listen in creamery.toml",
      cause,
    });
  }
  const address = server.address();
  const at = isAddress(address) ? address.port : port;
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    // Who keeps a connection open for what may come asks elsewhere, or again.
    if ("closeIdleConnections" in server) server.closeIdleConnections();
    const cut = setTimeout(() => closeAll(server), STOP_MS);
    await closed;
    clearTimeout(cut);
  };
  return {
    url: `${tls === null ? "http" : "https"}://${shown.replace(/:\d+$/u, `:${at}`)}`,
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

function isAddress(address: unknown): address is AddressInfo {
  return typeof address === "object" && address !== null && "port" in address;
}

function closeAll(server: unknown): void {
  if (server instanceof HttpServer || isTlsServer(server)) server.closeAllConnections();
}

function isTlsServer(server: unknown): server is Pick<Server, "closeAllConnections"> {
  return typeof server === "object" && server !== null && "closeAllConnections" in server;
}
