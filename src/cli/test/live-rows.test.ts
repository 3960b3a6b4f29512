import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { FakeClock, FakeTerminal } from "./fake-terminal.sample.ts";
import { abuse, controlsOf } from "./hostile.sample.ts";
import { LiveRows } from "./live-rows.ts";

describe("live rows", () => {
  test("show each attempt with its phase and time, above them what stays", () => {
    const [screen, clock] = [new FakeTerminal(80, 10), new FakeClock()];
    using progress = new LiveRows(screen, clock);
    progress.add("a", "lmdb 3.0.0 cpython-3.13");
    progress.add("b", "lmdb 3.0.0 pypy-3.11");
    progress.add("c", "mine cpython-3.14");
    progress.enter("a", "start");
    clock.advance(12_300);
    progress.enter("b", "test", "12 tests");
    progress.say("the index answers slowly");
    progress.end("a", "pass", "good", "487 passed");
    clock.advance(700);
    expect(screen.lines).toEqual([
      "the index answers slowly",
      "lmdb 3.0.0 cpython-3.13   12.3 s  pass      487 passed",
      "lmdb 3.0.0 pypy-3.11       0.6 s  test      12 tests",
      "mine cpython-3.14                 waits",
    ]);
  });

  test("are green, red or yellow where they ended", () => {
    const [screen, clock] = [new FakeTerminal(80, 10), new FakeClock()];
    using progress = new LiveRows(screen, clock);
    progress.end("a", "FAIL", "bad");
    clock.advance(150);
    expect(screen.written).toBe(
      "\r\u001b[2K\u001b[?7l\u001b[31ma    0.0 s  FAIL\u001b[39m\n\u001b[?7h",
    );
  });

  test("of a terminal that is too low: who ended goes above for good, who waits is summed up", () => {
    const [screen, clock] = [new FakeTerminal(60, 5), new FakeClock()];
    using progress = new LiveRows(screen, clock);
    for (const key of ["a", "b", "c", "d", "e", "f", "g"]) progress.add(key, key);
    for (const key of ["a", "b", "c", "d"]) progress.enter(key, "test");
    progress.end("c", "FAIL", "bad", "1 failed");
    progress.end("a", "pass", "good");
    clock.advance(150);
    expect(screen.lines).toEqual([
      "a    0.0 s  pass",
      "b    0.1 s  test",
      "c    0.0 s  FAIL      1 failed",
      "d    0.1 s  test",
      "3 wait",
    ]);
    for (const key of ["e", "f"]) progress.enter(key, "start");
    clock.advance(150);
    expect(screen.lines.slice(1)).toEqual([
      "c    0.0 s  FAIL      1 failed",
      "b    0.3 s  test",
      "d    0.3 s  test",
      "e    0.1 s  start",
      "1 more run, 1 wait",
    ]);
  });

  test("a row that is taken up again comes back from above", () => {
    const [screen, clock] = [new FakeTerminal(60, 3), new FakeClock()];
    using progress = new LiveRows(screen, clock);
    for (const key of ["a", "b", "c"]) progress.end(key, "FAIL", "bad");
    clock.advance(150);
    progress.enter("a", "test", "confirms");
    clock.advance(150);
    expect(screen.lines).toEqual([
      "a    0.0 s  FAIL",
      "b    0.0 s  FAIL",
      "a    0.3 s  test      confirms",
      "c    0.0 s  FAIL",
    ]);
  });

  test("clip by display width, so that a wide note never wraps", () => {
    const [screen, clock] = [new FakeTerminal(40, 5), new FakeClock()];
    using progress = new LiveRows(screen, clock);
    progress.enter("a", "test", "試".repeat(40));
    clock.advance(150);
    expect(screen.lines).toEqual([`a    0.1 s  test      ${"試".repeat(8)}…`]);
  });

  test("hold no control character but their own", () => {
    const [screen, clock] = [new FakeTerminal(500, 10), new FakeClock()];
    {
      using progress = new LiveRows(screen, clock);
      abuse(progress);
      clock.advance(1000);
    }
    const own = /\u001b\[(?:1A|2K|\?7[lh]|3[1236]m|39m)|\r(?=\u001b\[2K)/g;
    expect(controlsOf(screen.written.replaceAll(own, ""))).toEqual([]);
    expect(screen.lines).toHaveLength(2);
  });

  test("stay where they are when disposed, and no timer is left", () => {
    const [screen, clock] = [new FakeTerminal(60, 5), new FakeClock()];
    const progress = new LiveRows(screen, clock);
    progress.end("a", "pass", "good");
    progress[Symbol.dispose]();
    progress[Symbol.dispose]();
    progress.say("too late");
    expect(screen.lines).toEqual(["a    0.0 s  pass"]);
    expect(clock.isIdle).toBe(true);
  });

  test("of a terminal that was resized are redrawn where they were", () => {
    const [screen, clock] = [new FakeTerminal(100, 10), new FakeClock()];
    using progress = new LiveRows(screen, clock);
    progress.say("stays");
    for (const key of ["a", "b"]) progress.enter(key, "test", "a note that is long ".repeat(4));
    clock.advance(150);
    screen.resize(30, 10);
    clock.advance(150);
    expect(screen.lines).toEqual([
      "stays",
      "a    0.3 s  test      a note…",
      "b    0.3 s  test      a note…",
    ]);
  });

  test("the fake terminal would show rows that were garbled by a resize", () => {
    const screen = new FakeTerminal(60, 10);
    screen.write(`${"x".repeat(50)}\n`);
    screen.resize(20, 10);
    screen.write("\r\u001b[2K\u001b[1A\u001b[2Ky\n");
    expect(screen.lines).toEqual([`${"x".repeat(40)}y`]);
  });

  test("whatever happens, what was said stands there once and in order, and the last frame below", () => {
    const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const event = fc.oneof(
      fc.record({ kind: fc.constant("add" as const), key }),
      fc.record({ kind: fc.constant("enter" as const), key }),
      fc.record({ kind: fc.constant("end" as const), key }),
      fc.record({ kind: fc.constant("say" as const), length: fc.nat(90) }),
      fc.record({ kind: fc.constant("wait" as const) }),
      fc.record({
        kind: fc.constant("resize" as const),
        columns: fc.integer({ min: 20, max: 90 }),
        rows: fc.integer({ min: 3, max: 12 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const [screen, clock] = [new FakeTerminal(50, 8), new FakeClock()];
        const progress = new LiveRows(screen, clock);
        const said: string[] = [];
        for (const one of events) {
          if (one.kind === "add") progress.add(one.key, one.key);
          else if (one.kind === "enter") progress.enter(one.key, "test", "of a length ".repeat(3));
          else if (one.kind === "end") progress.end(one.key, "pass", "good");
          else if (one.kind === "resize") screen.resize(one.columns, one.rows);
          else if (one.kind === "wait") clock.advance(150);
          else {
            said.push(`said ${said.length} ${"=".repeat(one.length)}.`);
            progress.say(said.at(-1) ?? "");
          }
        }
        progress[Symbol.dispose]();
        // What scrolled away half folded is out of reach: a line may stand behind such a half.
        expect(screen.lines.join("\n").match(/said \d+ =*\./g) ?? []).toEqual(said);
        const frame = /\u001b\[\?7l([^]*)\u001b\[\?7h$/.exec(
          screen.written.split("\r").at(-1) ?? "",
        );
        const rows = stripVTControlCharacters(frame?.[1] ?? "")
          .split("\n")
          .slice(0, -1);
        expect(screen.visible.slice(-1 - rows.length)).toEqual([...rows, ""]);
      }),
    );
  });
});
