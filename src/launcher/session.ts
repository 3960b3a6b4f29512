import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { CreameryError } from "../base/errors.ts";
import { startTicks } from "../base/process-name.ts";
import { FARM_UID } from "./directories.ts";

/** What belongs to one command while it runs; the launcher removes it at its end, or the next one does. */
export interface Session {
  readonly id: string;
  /** `<run>/<id>`, root's own, passable by the farm. */
  readonly directory: string;
  /**
   * `<run>/repo`: the repository, bound there read-only, as the clone may lie where the farm's user can't go. In the mount
   * namespace of each launcher it is its own, and it is called the same in all of them: compiled code is kept by its path.
   */
  readonly repository: string;
  /** Agent and index sockets, a directory for each guest; parent is root's, so none can be swapped. */
  readonly sockets: string;
  /** Bundles and mount points, root's own. */
  readonly guests: string;
  /** Files from the farm for the launcher to write elsewhere; the farm's own. */
  readonly exchange: string;
  /** Files that the launcher fetched for the farm; root's own, readable by the farm alone. */
  readonly received: string;
}

/** Makes the session's directories and binds the repository. Synchronous: it is on the way to a start. */
export function openSession(runDirectory: string, repository: string): Session {
  // The name says whose it is: a process id is used again, the pair with its start time is not.
  const id = `s${process.pid}-${startTicks(process.pid) ?? ""}`;
  const session = sessionAt(runDirectory, id);
  mkdirSync(session.directory, { mode: 0o755 });
  mkdirSync(session.repository, { recursive: true });
  mkdirSync(session.sockets, { mode: 0o711 });
  mkdirSync(session.guests, { mode: 0o711 });
  // What is put here gets the farm's group by itself.
  mkdirSync(session.received);
  chownSync(session.received, 0, FARM_UID);
  chmodSync(session.received, 0o2711);
  mkdirSync(session.exchange, { mode: 0o700 });
  chownSync(session.exchange, FARM_UID, FARM_UID);
  const bound = spawnSync("mount", ["--bind", "-o", "ro", repository, session.repository], {
    encoding: "utf8",
  });
  if (bound.status !== 0) {
    throw new CreameryError(
      "launcher",
      `the repository can't be bound into the session: ${bound.stderr.trim()}`,
      {
        input: repository,
      },
    );
  }
  return session;
}

/** Unbinds and removes. The place of the repository stays: it is every launcher's. */
export function closeSession(session: Session): void {
  spawnSync("umount", ["--lazy", session.repository]);
  removeSession(session);
}

/** Sessions whose launcher is gone: `killed -9`, or the host's crash. */
export function deadSessions(runDirectory: string): Session[] {
  const dead: Session[] = [];
  for (const name of readdirSync(runDirectory)) {
    if (!/^s\d+-\d+$/u.test(name)) continue;
    const session = sessionAt(runDirectory, name);
    const [, pid = "", ticks = ""] = /^s(\d+)-(\d+)$/u.exec(name) ?? [];
    if (startTicks(Number(pid)) !== ticks) dead.push(session);
  }
  return dead;
}

/** Mounts of a dead session went with its mount namespace; what is left are plain directories. */
export function removeSession(session: Session): void {
  for (const path of [session.sockets, session.guests, session.exchange, session.received]) {
    rmSync(path, { recursive: true, force: true });
  }
  try {
    rmdirSync(session.directory);
  } catch {
    // Two launchers may reap the same session.
  }
}

function sessionAt(runDirectory: string, id: string): Session {
  const directory = join(runDirectory, id);
  return {
    id,
    directory,
    repository: join(runDirectory, "repo"),
    sockets: join(directory, "sockets"),
    guests: join(directory, "guests"),
    exchange: join(directory, "exchange"),
    received: join(directory, "received"),
  };
}
