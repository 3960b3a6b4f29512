import { pino, type Logger } from "pino";
import { z } from "zod";

import { clip, printableLine } from "../../base/bounded-text.ts";
import type { LogLevel } from "../../model/config/service-table.ts";

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
  "api-failed": { reason: string };
  hook: { forge: string; outcome: string; status: number; reason: string };
  "host-out": { host: string; reason: string };
  alarm: { kind: string; subject: string; text: string; nextStep: string };
  "alarm-over": { kind: string; subject: string };
  "ping-failing": { reason: string };
  "ping-answered": { host: string };
  silent: { reason: string };
  "speaks-again": { host: string };
  "disk-low": { reason: string };
  "disk-again": { path: string };
  stopped: { seconds: number };
  retests: { planned: string; total: number; bound: string };
  "not-admitted": { count: number; releases: string };
  "notices-failing": { project: string; target: string; reason: string };
  "notices-again": { project: string; target: string };
  "notice-lost": { project: string; target: string; how: string; reason: string };
  housekeeping: { what: string; detail: string };
}

const LEVELS: Partial<Record<keyof FarmEvents, "warn" | "error">> = {
  "worker-trouble": "warn",
  "no-room": "warn",
  "job-dead": "warn",
  "store-trouble": "error",
  "watcher-failing": "warn",
  "watcher-note": "warn",
  "api-failed": "error",
  "host-out": "error",
  alarm: "warn",
  "ping-failing": "warn",
  silent: "error",
  "notices-failing": "warn",
  "notice-lost": "warn",
  "disk-low": "warn",
};

/** As sd-daemon(3) has it; journald takes the number off the line and files it under that priority. */
const PRIORITIES = { info: "<6>", warn: "<4>", error: "<3>" } as const;
const MAX_FIELD_CHARS = 2000;

/** How the log is written: plain lines for a terminal, JSON lines for all else, which journald is told the priority of. */
export type LogForm = "terminal" | "journal" | "json";

/**
 * The service's log: one line for each event, of the fields that the event has and no others. Whatever a package or an upstream
 * has said is bounded, and has no control characters.
 */
export class FarmLog {
  readonly #logger: Logger;
  readonly #form: LogForm;
  #priority = "";

  constructor(stream: { write(text: string): unknown }, form: LogForm) {
    this.#form = form;
    this.#logger = pino(
      {
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }) },
      },
      { write: (line: string) => void stream.write(this.#shown(line)) },
    );
  }

  /** The least that is told. */
  set level(level: LogLevel) {
    this.#logger.level = level;
  }

  tell<Name extends keyof FarmEvents>(event: Name, fields: FarmEvents[Name]): void {
    const level = LEVELS[event] ?? "info";
    this.#priority = PRIORITIES[level];
    const bounded = Object.entries(fields).map(([key, value]: [string, string | number]) => [
      key,
      typeof value === "string" ? clip(printableLine(value), MAX_FIELD_CHARS) : value,
    ]);
    this.#logger[level]({ event, ...Object.fromEntries(bounded) });
  }

  #shown(line: string): string {
    switch (this.#form) {
      case "terminal":
        return plain(line);
      case "journal":
        return `${this.#priority}${line}`;
      case "json":
        return line;
    }
  }
}

/**
 * journald sets JOURNAL_STREAM to the device and inode of what it reads (systemd.exec(5)).
 * @param descriptor what is written to, as `fs.fstatSync` tells of it.
 */
export function logFormOf(
  isTerminal: boolean,
  env: NodeJS.ProcessEnv,
  { dev, ino }: { readonly dev: number | bigint; readonly ino: number | bigint },
): LogForm {
  if (isTerminal) return "terminal";
  return env["JOURNAL_STREAM"] === `${dev}:${ino}` ? "journal" : "json";
}

const Line = z.record(z.string(), z.union([z.string(), z.number()]));

function plain(line: string): string {
  const { time, level, event, ...fields } = Line.parse(JSON.parse(line));
  const told = Object.entries(fields).map(([key, value]) => `${key}=${value}`);
  const words = [...(level === "info" ? [] : [`${level}:`]), event, ...told];
  return `${String(time).slice(11, 19)} ${words.join(" ")}\n`;
}
