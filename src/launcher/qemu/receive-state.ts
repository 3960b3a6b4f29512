import { createWriteStream } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

import { CreameryError } from "../../base/errors.ts";

/** A machine's devices are half a megabyte; memory is no part of it. */
const MAX_STATE_BYTES = 64 * 1024 * 1024;

/** Where a machine sends its state to. */
export interface StateReceiver {
  /** Resolves when all of it is in the file. @throws CreameryError `vm-resume`. */
  readonly received: Promise<void>;
  close(): void;
}

/** Listens on a Unix socket for one sender, and writes what comes to a file. */
export async function receiveState(socketPath: string, path: string): Promise<StateReceiver> {
  const server = createServer();
  // The directory's group is the machine's. It is the farm's own: a mode that was set by name could be set on what the farm put there.
  const umask = process.umask(0o007);
  try {
    server.listen(socketPath);
  } finally {
    process.umask(umask);
  }
  await once(server, "listening");
  const done = Promise.withResolvers<void>();
  done.promise.catch(() => undefined);
  server.once("connection", (socket) => {
    server.close();
    let bytes = 0;
    const bounded = new Transform({
      transform(chunk: Buffer, _, callback) {
        bytes += chunk.length;
        if (bytes > MAX_STATE_BYTES)
          callback(new CreameryError("vm-resume", "the machine's state is too large"));
        else callback(null, chunk);
      },
    });
    pipeline(socket, bounded, createWriteStream(path, { flags: "wx", mode: 0o600 })).then(
      done.resolve,
      done.reject,
    );
  });
  return {
    received: done.promise,
    close: () => {
      server.close();
      done.reject(new CreameryError("vm-resume", "the machine's state never came"));
    },
  };
}
