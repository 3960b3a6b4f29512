import { join } from "node:path";

import type { Session } from "../../src/launcher/session.ts";

/** What requests of the launcher know of their session, in a test that is itself the launcher. */
export function sessionFor(repository: string, run: string): Session {
  const directory = join(run, "s1-1");
  return {
    id: "s1-1",
    directory,
    repository,
    sockets: join(directory, "sockets"),
    guests: join(directory, "guests"),
    exchange: join(directory, "exchange"),
    received: join(directory, "received"),
  };
}
