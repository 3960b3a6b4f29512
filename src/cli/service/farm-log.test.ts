import { describe, expect, test } from "vitest";
import { z } from "zod";

import { FarmLog, logFormOf, type LogForm } from "./farm-log.ts";

function lines(form: LogForm, tell: (log: FarmLog) => void): string[] {
  const written: string[] = [];
  tell(new FarmLog({ write: (text) => written.push(text) }, form));
  return written;
}

const hostile = "\u001B[31mred\nnext line\u0007" + "x".repeat(5000);

describe("the service's log", () => {
  test("is one JSON object on each line, with its level by name, time, event and fields", () => {
    const [line = ""] = lines("json", (log) => log.tell("host-out", { host: "a", reason: "b" }));
    expect(line).toMatch(/^[^\n]+\n$/u);
    const { time, ...rest } = z.record(z.string(), z.string()).parse(JSON.parse(line));
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/u);
    expect(rest).toEqual({ level: "error", event: "host-out", host: "a", reason: "b" });
  });

  test.each(["json", "journal", "terminal"] as const)(
    "as %s holds no control characters and is bounded, whatever a package says",
    (form) => {
      const [line = "", ...more] = lines(form, (log) =>
        log.tell("watcher-note", { watcher: "w", note: hostile }),
      );
      expect(more).toEqual([]);
      expect(line).toMatch(/^[^\u0000-\u001F\u007F]+\n$/u);
      expect(line.length).toBeLessThan(2500);
    },
  );

  test("tells journald the priority of each line", () => {
    const written = lines("journal", (log) => {
      log.tell("room-again", { host: "a" });
      log.tell("no-room", { reason: "b" });
      log.tell("silent", { reason: "c" });
    });
    expect(written.map((line) => line.slice(0, 4))).toEqual(["<6>{", "<4>{", "<3>{"]);
  });

  test("in a terminal is a line that a person reads", () => {
    const [calm = "", loud = ""] = lines("terminal", (log) => {
      log.tell("room-again", { host: "a" });
      log.tell("no-room", { reason: "b" });
    });
    expect(calm).toMatch(/^\d\d:\d\d:\d\d room-again host=a\n$/u);
    expect(loud).toMatch(/^\d\d:\d\d:\d\d warn: no-room reason=b\n$/u);
  });

  test("leaves out what is below its level", () => {
    const written = lines("json", (log) => {
      log.level = "warn";
      log.tell("room-again", { host: "a" });
      log.tell("no-room", { reason: "b" });
    });
    expect(written).toHaveLength(1);
  });

  test("is journald's only where journald reads it", () => {
    const file = { dev: 8, ino: 21 };
    expect(logFormOf(true, { JOURNAL_STREAM: "8:21" }, file)).toBe("terminal");
    expect(logFormOf(false, { JOURNAL_STREAM: "8:21" }, file)).toBe("journal");
    expect(logFormOf(false, { JOURNAL_STREAM: "8:22" }, file)).toBe("json");
    expect(logFormOf(false, {}, file)).toBe("json");
  });
});
