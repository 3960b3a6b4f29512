import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { constants } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { CommandRoom, type CommandOptions } from "./run-command.ts";
import { upstreamsOf } from "./upstreams-of.ts";

/** How `./creamery up` starts and ends. */

// What it logs, which goes to standard output, is waited for.
const LOGGED: CommandOptions = { through: ["sh", "-c", 'exec "$@" >&2', "sh"] };

describe("a farm that is started", () => {
  let room: CommandRoom;
  let config = "";
  beforeAll(() => {
    room = new CommandRoom("up");
    config = configured("creamery.toml", "127.0.0.1:0");
  });
  afterAll(() => room[Symbol.asyncDispose]());

  const configured = (name: string, listen: string): string =>
    room.writeConfig(name, {
      upstreams: upstreamsOf("http://127.0.0.1:9/simple/"),
      farm: { listen },
    });
  const start = () => room.start(["up", "--config", config], LOGGED);
  /** The process that the launcher has started. */
  const commandLineOf = (launcher: number): number => {
    const child = readdirSync("/proc").find((name) => {
      if (!/^\d+$/u.test(name)) return false;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        const parent = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
        return parent === String(launcher) && command.includes("src/cli/main.ts");
      } catch {
        return false;
      }
    });
    if (child === undefined) throw new Error("the launcher has started nothing");
    return Number(child);
  };

  const stateOf = (pid: number) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const [, pending = "0"] = /^ShdPnd:\t([0-9a-f]+)$/mu.exec(status) ?? [];
    const terminate = 1n << BigInt(constants.signals.SIGTERM - 1);
    return {
      isStopped: /^State:\tT/mu.test(status),
      isToEnd: (BigInt(`0x${pending}`) & terminate) !== 0n,
    };
  };

  it.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "ends by %s in good order, with code 0, and leaves nothing that runs",
    async (signal) => {
      const farm = start();
      await farm.said(/"event":"started"/u);
      process.kill(farm.pid, signal);
      const ended = await farm.ended;
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.stderr).toMatch(/"event":"stopping","reason":"told to"/u);
      expect(ended.stderr).toMatch(/"event":"stopped"/u);
      expect(ended.seen).toHaveLength(1);
      expect(ended.leaks).toEqual([]);
      expect(readdirSync(room.dataDirectory)).not.toContain("farm.json");
    },
  );

  it("that hangs is ended by the second signal, and the next one starts", async () => {
    const farm = start();
    await farm.said(/"event":"started"/u);
    const commandLine = commandLineOf(farm.pid);
    process.kill(commandLine, "SIGSTOP");
    await expect.poll(() => stateOf(commandLine).isStopped).toBe(true);
    process.kill(farm.pid, "SIGTERM");
    // At once after the first it counts as the same.
    process.kill(farm.pid, "SIGTERM");
    // The launcher may be late to hear it: it has once it has passed it on.
    await expect.poll(() => stateOf(commandLine).isToEnd).toBe(true);
    await sleep(1500);
    const said = performance.now();
    process.kill(farm.pid, "SIGTERM");
    await expect.poll(() => existsSync(`/proc/${commandLine}`)).toBe(false);
    // By itself it would have taken 8.5 s more.
    expect(performance.now() - said).toBeLessThan(7000);
    const ended = await farm.ended;
    expect(ended.code, ended.stderr).toBe(137);
    expect(ended.leaks).toEqual([]);
    const next = start();
    await next.said(/"event":"started"/u);
    process.kill(next.pid, "SIGTERM");
    expect((await next.ended).code).toBe(0);
  });

  it("where something listens already says so, and does not run", async () => {
    await using taken = createServer();
    taken.listen(0, "127.0.0.1");
    await once(taken, "listening");
    const address = taken.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const place = `127.0.0.1:${address.port}`;
    const ended = await room.run(["up", "--config", configured("taken.toml", place)]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toMatch(
      new RegExp(`^creamery: ${place} can't be listened at: .*; end what listens there`, "mu"),
    );
    expect(ended.leaks).toEqual([]);
  });
});
