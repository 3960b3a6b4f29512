import { describe, expect, test } from "vitest";

import { FakeClock } from "./fake-terminal.sample.ts";
import { abuse, controlsOf } from "./hostile.sample.ts";
import { openProgress, type ProgressOutput } from "./progress.ts";
import { systemClock } from "./progress-row.ts";

class Sink implements ProgressOutput {
  readonly isTTY: boolean;
  text = "";
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
}

const TERMINAL = { TERM: "xterm-256color" };

describe("plain lines", () => {
  test("are one for each phase and for the end", () => {
    const [sink, clock] = [new Sink(false), new FakeClock()];
    using progress = openProgress(sink, TERMINAL, clock);
    progress.add("a", "lmdb 3.0.0 cpython-3.13");
    clock.advance(60_000);
    progress.enter("a", "start");
    clock.advance(200);
    progress.enter("a", "install", "environment");
    clock.advance(900);
    progress.enter("a", "test");
    progress.say("the index answers slowly");
    clock.advance(25_900);
    progress.end("a", "pass", "good", "487 passed, 19 skipped");
    expect(sink.text).toBe(
      [
        "lmdb 3.0.0 cpython-3.13: start 0.0 s",
        "lmdb 3.0.0 cpython-3.13: install (environment) 0.2 s",
        "lmdb 3.0.0 cpython-3.13: test 1.1 s",
        "the index answers slowly",
        "lmdb 3.0.0 cpython-3.13: pass (487 passed, 19 skipped) 27.0 s",
        "",
      ].join("\n"),
    );
  });

  test("tell a count that changes from moment to moment twice a minute", () => {
    const [sink, clock] = [new Sink(false), new FakeClock()];
    using progress = openProgress(sink, TERMINAL, clock);
    for (let seen = 0; seen <= 1000; seen++) {
      progress.enter("a", "test", `${seen} tests`);
      clock.advance(100);
    }
    expect(sink.text).toBe(
      "a: test (0 tests) 0.0 s\na: test (300 tests) 30.0 s\na: test (600 tests) 60.0 s\na: test (900 tests) 90.0 s\n",
    );
  });

  test.each([
    ["the output is no terminal", false, TERMINAL],
    ["NO_COLOR is set", true, { ...TERMINAL, NO_COLOR: "1" }],
    ["TERM is dumb", true, { TERM: "dumb" }],
  ])("hold no control character when %s", (_, isTTY, env) => {
    const [sink, clock] = [new Sink(isTTY), new FakeClock()];
    {
      using progress = openProgress(sink, env, clock);
      abuse(progress);
      clock.advance(1000);
    }
    expect(controlsOf(sink.text)).toEqual([]);
    expect(sink.text.split("\n")).toHaveLength(5);
  });
});

test("the system's clock calls until disposed", async () => {
  let calls = 0;
  const before = systemClock.nowMs();
  {
    using timer = systemClock.every(1, () => calls++);
    expect(timer).toBeDefined();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  const during = calls;
  expect(during).toBeGreaterThan(0);
  expect(systemClock.nowMs()).toBeGreaterThan(before);
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(calls).toBe(during);
});

test("a terminal gets live rows", () => {
  const [sink, clock] = [new Sink(true), new FakeClock()];
  using progress = openProgress(sink, TERMINAL, clock);
  progress.say("hello");
  expect(sink.text).toBe("\r\u001b[2Khello\n\u001b[?7l\u001b[?7h");
});
