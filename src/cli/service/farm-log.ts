import { pino, type Logger } from "pino";

import { printableLine } from "../../base/bounded-text.ts";

/** All that the service writes into its log, by name, with what goes along. */
export interface FarmEvents {
  started: { url: string; store: string; machine: string; image: string; slots: number };
  stopping: { reason: string };
  "worker-claimed": { project: string; version: string; configuration: string; attempt: string };
  "worker-finished": {
    project: string;
    version: string;
    configuration: string;
    attempt: string;
    outcome: string;
    seconds: number;
  };
  "worker-trouble": { reason: string };
  "worker-recovered": { host: string };
  "no-room": { reason: string };
  "room-again": { host: string };
  reaped: { requeued: number; dead: number };
  "job-dead": { key: string };
  "store-trouble": { reason: string };
  "store-recovered": { store: string };
  watching: { what: string; why: string };
  "watcher-failing": { watcher: string; reason: string; failures: number };
  "watcher-recovered": { watcher: string };
  "watcher-note": { watcher: string; note: string };
  seen: { watcher: string; what: string };
  hook: { forge: string; outcome: string; status: number; reason: string };
  retests: { planned: string; total: number; bound: string };
  "not-admitted": { count: number; releases: string };
  housekeeping: { what: string; detail: string };
}

const LEVELS: Partial<Record<keyof FarmEvents, "warn" | "error">> = {
  "worker-trouble": "warn",
  "no-room": "warn",
  "job-dead": "warn",
  "store-trouble": "error",
  "watcher-failing": "warn",
  "watcher-note": "warn",
};

/** The service's log: JSON lines for whoever collects them, plain lines in a terminal. */
export class FarmLog {
  readonly #logger: Logger;

  constructor(stream: { write(text: string): unknown }, isTerminal: boolean) {
    const destination = isTerminal
      ? { write: (line: string) => stream.write(plain(line)) }
      : stream;
    this.#logger = pino(
      { base: null, timestamp: pino.stdTimeFunctions.isoTime },
      { write: (line: string) => void destination.write(line) },
    );
  }

  tell<Name extends keyof FarmEvents>(event: Name, fields: FarmEvents[Name]): void {
    this.#logger[LEVELS[event] ?? "info"]({ event, ...fields });
  }
}

function plain(line: string): string {
  const parsed: unknown = JSON.parse(line);
  const {
    time,
    event,
    level: _,
    ...fields
  } = Object.fromEntries(
    Object.entries(Object(parsed)).map(([key, value]) => [key, String(value)]),
  );
  const told = Object.entries(fields).map(([key, value]) => `${key}=${value}`);
  return `${(time ?? "").slice(11, 19)} ${printableLine([event ?? "", ...told].join(" "))}\n`;
}
