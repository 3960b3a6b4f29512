import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

/** Above the last of those that `fetch` refuses to ask, 10080. */
const LOWEST = 10_081;

/**
 * A port of loopback on which nobody listens just now, for a server that is told its port, or for a test of what is not there. It is
 * none of those that the system gives to whoever asks for any: one of them may be another's by the time it is used.
 */
export async function freePort(): Promise<number> {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const firstGiven = Number(range.split(/\s+/u)[0]);
  for (;;) {
    const port = await listened(firstGiven > LOWEST ? randomInt(LOWEST, firstGiven) : 0);
    if (port !== null) return port;
  }
}

/** Null where somebody listens there. @param wanted 0 for one that the system chooses. */
async function listened(wanted: number): Promise<number | null> {
  const server = createServer();
  server.listen(wanted, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "EADDRINUSE") return null;
    throw thrown;
  }
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
