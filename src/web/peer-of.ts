import { IncomingMessage } from "node:http";
import { isIP, isIPv6, type BlockList, type Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Context } from "hono";

import type { Peer } from "./client-address.ts";

/**
 * Who sent a request, on a server of `@hono/node-server`. What a proxy says of its own client (X-Forwarded-For,
 * X-Forwarded-Proto) counts when the operator trusts the proxy, and for nobody else.
 */
export function peerOf(trustedProxies: BlockList): (context: Context) => Peer {
  const trusts = (address: string): boolean =>
    isIP(address) !== 0 && trustedProxies.check(address, isIPv6(address) ? "ipv6" : "ipv4");
  return (context) => {
    const socket = socketOf(context.env);
    const address = plainAddress(socket?.remoteAddress ?? "");
    if (!trusts(address)) return { address, encrypted: socket instanceof TLSSocket };
    // From the right: what stands further left was written by the client, or by whom it likes.
    const told = listOf(context.req.header("x-forwarded-for")).map(plainAddress);
    const client = told.findLast((text) => !trusts(text));
    return {
      address: client === undefined || isIP(client) === 0 ? address : client,
      encrypted: listOf(context.req.header("x-forwarded-proto")).at(-1) === "https",
    };
  };
}

function listOf(header: string | undefined): string[] {
  return (header ?? "")
    .split(",")
    .map((text) => text.trim())
    .filter((text) => text !== "");
}

/** An IPv4 address that came over an IPv6 socket, as itself. */
function plainAddress(text: string): string {
  return text.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/iu, "");
}

function socketOf(env: unknown): Socket | null {
  if (typeof env !== "object" || env === null || !("incoming" in env)) return null;
  return env.incoming instanceof IncomingMessage ? env.incoming.socket : null;
}
